import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Where the sample runs: another `PORT` there needs it here. */
const sample = process.env['SAMPLE'] ?? 'http://localhost:3000';

export default defineConfig({
  plugins: [react()],
  // The package is a link to this repository, which has a React of its own: hooks need a single one.
  resolve: { dedupe: ['react', 'react-dom'] },
  server: {
    proxy: { '/stream': sample, '/rooms': sample },
    // The package and the sample's styles are outside of this folder.
    fs: { allow: ['../..'] },
  },
});
