/**
 * Writing a lab file: keys in the order of the schema, names in the order of the lab, short leaves on one line, so that a change of the lab
 * is a small change of the file.
 */
import { Document, isMap, isScalar, isSeq, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import * as v from 'valibot';
import type { Lab } from './model.ts';
import { labSchema } from './schema.ts';

/** Characters that a mapping or list may have on one line. */
const FLOW_WIDTH = 100;

/**
 * Writes a lab as the text of a lab file; {@link parseLab} of the text gives an equal lab.
 * @throws v.ValiError when the value is not a lab
 */
export function stringifyLab(lab: Lab): string {
  // Parsing puts the keys of every object in the order of the schema.
  const document = new Document(v.parse(labSchema, lab), { version: '1.2', aliasDuplicateObjects: false });
  visit(document, {
    Seq: (_, list) => {
      list.flow = flowWidth(list) <= FLOW_WIDTH;
    },
    Map: (_, mapping, ancestors) => {
      mapping.flow = ancestors.length > SECTION_ANCESTORS && flowWidth(mapping) <= FLOW_WIDTH;
    },
  });
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

/** The mapping of a section (`nodes:`) stands below the document, the mapping of the lab, and its own pair. */
const SECTION_ANCESTORS = 3;

/** How wide a mapping of single values and lists of such, or a list of single values, is on one line. */
function flowWidth(collection: YAMLSeq | YAMLMap): number {
  const parts = isMap(collection)
    ? collection.items.flatMap((pair) => [pair.key, pair.value])
    : collection.items;
  return parts.reduce<number>((width, part) => {
    const inner = isMap(collection) && isSeq(part) ? flowWidth(part) : scalarWidth(part);
    return width + inner + 2;
  }, 0);
}

/** Infinite for what does not go on a line. */
function scalarWidth(part: unknown): number {
  if (!isScalar(part)) return Number.POSITIVE_INFINITY;
  const text = String(part.value);
  return text.includes('\n') ? Number.POSITIVE_INFINITY : text.length;
}
