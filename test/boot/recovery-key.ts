/** As `/init` shows it on every console: eight groups of eight letters (docs/encryption.md). */
export const RECOVERY_KEY = /\b[a-z]{8}(?:-[a-z]{8}){7}\b/;
