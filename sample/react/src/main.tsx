import { SseClient, shareTabs } from 'nestjs-sse-channels/client';
import { SseClientProvider } from 'nestjs-sse-channels/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '../../public/style.css';
import '../../rooms/public/rooms.css';
import { Page } from './page';

// One for the page, and by shareTabs() one connection for all of its tabs.
const client = new SseClient('/stream', { tabs: shareTabs() });

createRoot(document.querySelector('#page')!).render(
  <StrictMode>
    <SseClientProvider client={client}>
      <Page />
    </SseClientProvider>
  </StrictMode>,
);
