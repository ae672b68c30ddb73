/**
 * What a snapshot says besides its memory image: which program made it, the history of the run (lab, seed, plan, journal), the place it was taken at, and the cold
 * state that the image has no words for. Declared once: the types follow from the schemas.
 */
import * as v from 'valibot';

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
/** An address or a size in the one memory. */
const word = v.pipe(count, v.maxValue(0xffff_ffff));
/** ns of the lab's clock. */
const time = v.pipe(v.number(), v.finite(), v.minValue(0));
const list = <S extends v.GenericSchema>(item: S) => v.pipe(v.array(item), v.readonly());

const placeSchema = v.object({ events: count, time });

const inputSchema = v.object({ kind: v.literal('exec'), node: text, command: text });

const historySchema = v.object({
  lab: v.object({ file: text, text }),
  seed: word,
  modules: list(text),
  plan: v.object({
    commands: list(v.object({ node: text, command: text, from: v.exactOptional(placeSchema) })),
    for: v.exactOptional(time),
  }),
  journal: list(v.object({ at: placeSchema, input: inputSchema })),
});

const layoutsSchema = v.object({
  structs: v.record(text, text),
  regions: v.record(text, text),
  poison: v.boolean(),
});

const coldSchema = v.object({
  nodes: list(
    v.object({
      name: text,
      stacks: list(v.object({ prefix: text, variant: text, address: word })),
      /** Programs that were running, with their command lines. */
      programs: list(v.object({ pid: count, argv: list(text) })),
    }),
  ),
  links: list(v.object({ name: text, address: word, ends: list(text) })),
});

export const headerSchema = v.object({
  /** Version of the program. */
  program: text,
  /** Layouts of the program itself, and of all that there was when the snapshot was taken. */
  layouts: layoutsSchema,
  allLayouts: layoutsSchema,
  history: historySchema,
  place: placeSchema,
  cold: coldSchema,
  /** The runs of the memory image, in the order in which they follow: where each lies, its bytes, and how many it takes in the file. */
  image: list(v.object({ address: word, bytes: word, packed: word })),
});

export type SnapshotHeader = v.InferOutput<typeof headerSchema>;
export type ColdState = SnapshotHeader['cold'];
