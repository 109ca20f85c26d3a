/** Injection token of the options that the module was configured with, checked and complete. */
export const SSE_SETTINGS = Symbol('SSE_SETTINGS');
