/** What tuf-js's models take of Node's `util`: comparing two documents, which a client never does. */
export default {
  isDeepStrictEqual: (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other),
};
