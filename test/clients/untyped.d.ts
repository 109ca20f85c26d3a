// Packages without types: `eventsource` 1 and 2.
declare module 'eventsource1';
declare module 'eventsource2';
