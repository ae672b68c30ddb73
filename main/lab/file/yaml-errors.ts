/**
 * What the YAML parser found wrong, at the place where a person would look for it and without its API in the words.
 */
import { visit, type Document, type YAMLParseError } from 'yaml';

/** A syntax error at an offset of the text. */
export interface SyntaxFinding {
  readonly offset: number;
  readonly path: readonly [];
  readonly text: string;
}

/** The syntax errors of a document. */
export function syntaxFindings(document: Document): SyntaxFinding[] {
  return document.errors.map((error) => ({
    offset: offsetOf(error, document),
    path: [],
    text: textOf(error),
  }));
}

/** A quote that is not closed is wrong where it opens; the parser stands at the end of the file by then. */
function offsetOf(error: YAMLParseError, document: Document): number {
  const end = error.pos[0];
  if (!isOpenQuote(error)) return end;
  let opening = end;
  visit(document, {
    Scalar: (_, scalar) => {
      const start = scalar.range?.[0];
      const quoted = scalar.type === 'QUOTE_DOUBLE' || scalar.type === 'QUOTE_SINGLE';
      if (quoted && start !== undefined && start < end) opening = start;
    },
  });
  return opening;
}

function textOf(error: YAMLParseError): string {
  if (error.code === 'MULTIPLE_DOCS') return 'a lab file has one YAML document; remove what begins here';
  if (isOpenQuote(error)) return 'not valid YAML: this quote is not closed';
  const line = error.message.split('\n')[0] ?? error.message;
  return `not valid YAML: ${line.charAt(0).toLowerCase()}${line.slice(1)}`;
}

function isOpenQuote(error: YAMLParseError): boolean {
  return error.code === 'MISSING_CHAR' && /closing .quote/.test(error.message);
}
