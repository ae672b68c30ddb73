/** Reading JSON that a stranger may have written. */

/** @returns the value, or `undefined` (which no schema of the contract accepts) when `text` is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
