/**
 * Writing a lab file: keys in the order of the schema, names in the order of the lab, short leaves on one line, so that a change of the lab
 * is a small change of the file.
 */
import { Document, isMap, isScalar, isSeq, visit, type YAMLMap, type YAMLSeq } from 'yaml';
import * as v from 'valibot';
import type { Lab } from './model.ts';
import { labSchema } from './schema.ts';

/** Leaves longer than this are written one item a line. */
const FLOW_WIDTH = 80;

/**
 * Writes a lab as the text of a lab file; {@link parseLab} of the text gives an equal lab.
 * @throws v.ValiError when the value is not a lab
 */
export function stringifyLab(lab: Lab): string {
  // Parsing puts the keys of every object in the order of the schema.
  const document = new Document(v.parse(labSchema, lab), { version: '1.2', aliasDuplicateObjects: false });
  visit(document, {
    Seq: (_, list) => {
      list.flow = isShortLeaf(list);
    },
    Map: (_, mapping, ancestors) => {
      mapping.flow = ancestors.length > 1 && isShortLeaf(mapping);
    },
  });
  return document.toString({ lineWidth: 120, flowCollectionPadding: true });
}

function isShortLeaf(collection: YAMLSeq | YAMLMap): boolean {
  const parts = isMap(collection)
    ? collection.items.flatMap((pair) => [pair.key, pair.value])
    : isSeq(collection)
      ? collection.items
      : [];
  let width = 0;
  for (const part of parts) {
    if (!isScalar(part)) return false;
    const text = String(part.value);
    if (text.includes('\n')) return false;
    width += text.length + 2;
  }
  return width <= FLOW_WIDTH;
}
