import { expect, test } from 'vitest';
import { formatDiagnostic, type Diagnostic } from '../../spec/diagnostic.ts';

const FAULT: Diagnostic = {
  severity: 'error',
  code: 'input.unknown-key',
  message: "'kernal' is no key of an image definition",
  file: 'images/a.yaml',
  line: 12,
  column: 3,
  length: 6,
  sourceLine: '  kernal: {}',
  hint: "did you mean 'kernel'?",
};

test('file, line, column, source line, caret, hint', () => {
  expect(formatDiagnostic(FAULT)).toBe(
    [
      "images/a.yaml:12:3: error: 'kernal' is no key of an image definition",
      '  12 |   kernal: {}',
      '     |   ^^^^^^',
      "  hint: did you mean 'kernel'?",
    ].join('\n'),
  );
});

test('of a long line the part around the column is shown, and the caret stays right', () => {
  const sourceLine = `${'x'.repeat(5000)}HERE${'y'.repeat(5000)}`;
  const [, shown = '', caret = ''] = formatDiagnostic({
    ...FAULT,
    sourceLine,
    column: 5001,
    length: 4,
  }).split('\n');
  expect(shown.length).toBeLessThan(180);
  expect(shown.slice(caret.indexOf('^'), caret.lastIndexOf('^') + 1)).toBe('HERE');
});

test('a column behind the end of the line', () => {
  expect(formatDiagnostic({ ...FAULT, column: 40 })).toContain('^');
});

test('escape sequences of the file do not reach the terminal', () => {
  const text = formatDiagnostic({
    ...FAULT,
    sourceLine: '\tname: \u001b[2J\u202ea',
    message: '\u001b]0;x\u0007',
  });
  // eslint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
});
