// node scripts/check-release.mjs v1.2.3 [--notes]: whether a tag may be released, and its notes.
import { readFileSync } from 'node:fs';

const [tag, option] = process.argv.slice(2);
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const [heading, ...rest] = section(version);

if (tag !== `v${version}`) {
  fail(`The tag is ${tag ?? 'missing'}, and package.json says ${version}. Tag v${version}.`);
}
if (!/ - \d{4}-\d{2}-\d{2}$/.test(heading)) {
  fail(`CHANGELOG.md has no section "## [${version}] - <date>". It has "${heading}".`);
}
if (option === '--notes') {
  console.log(rest.join('\n').trim());
}

/** The lines of a version's section, its heading first. */
function section(name) {
  const lines = changelog.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`## [${name}]`));
  if (start < 0) {
    return [''];
  }
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '));
  return lines.slice(start, length < 0 ? undefined : start + 1 + length);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
