/** SVG text neither wraps nor shortens itself. */

/** @returns `text`, or its beginning with an ellipsis if it has more than `limit` characters. */
export function shorten(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit - 1)}…`;
}
