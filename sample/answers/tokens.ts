/** How long the generator thinks about each word, in milliseconds. */
export const ANSWER_PACE = Symbol('ANSWER_PACE');
