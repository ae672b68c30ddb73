/**
 * Words in columns, filled downwards, as ls and the completion of the shell show them.
 */

const GAP = 2;

/** Lines of at most `width` characters, each with a line end; nothing for no words. */
export function columns(words: readonly string[], width: number): string {
  const widest = words.reduce((most, word) => Math.max(most, word.length), 0) + GAP;
  const perLine = Math.max(1, Math.floor((width + GAP) / widest));
  const rows = Math.ceil(words.length / perLine);
  let text = '';
  for (let row = 0; row < rows; row++) {
    const line = words.filter((_, index) => index % rows === row);
    text += `${line
      .map((word) => word.padEnd(widest))
      .join('')
      .trimEnd()}\n`;
  }
  return text;
}
