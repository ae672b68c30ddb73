/** The labs that ship with the program. */
import { readFile, readdir } from 'node:fs/promises';
import type { LabExample } from '../../api/model.ts';
import { parseLab } from '../file/parse.ts';

const SUFFIX = '.lab.yaml';
/** They are not compiled: the built program, in dist/, reads them where the sources have them. */
const folder = import.meta.url.endsWith('.ts')
  ? new URL('../../examples/', import.meta.url)
  : new URL('../../../../main/examples/', import.meta.url);

export async function readExamples(): Promise<LabExample[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(SUFFIX)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(new URL(file, folder), 'utf8');
      const parsed = parseLab(text, file);
      return {
        name: file.slice(0, -SUFFIX.length),
        description: parsed.ok ? parsed.lab.description : '',
        text,
      };
    }),
  );
}
