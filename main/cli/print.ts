/** How verbs print what they have read from files: one line at a time, with nothing in it that a terminal would obey. */

/** Writes a line and waits if the reader is slow; a reader that has gone away ends the program quietly. */
export async function print(line: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.write(`${line}\n`, (error) => {
      if (error === undefined || error === null) resolve();
      else if ('code' in error && error.code === 'EPIPE') process.exit();
      else reject(error);
    });
  });
}

/** Text from a file: control characters in it must not reach the terminal. */
export function visible(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => {
    return `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`;
  });
}
