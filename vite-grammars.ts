/** A plugin of the bundler that turns *.grammar files into parsers (@lezer/generator). */
import { buildParserFile } from '@lezer/generator';
import type { Plugin } from 'vite';

export function grammars(): Plugin {
  return {
    name: 'grammars',
    transform(source, id) {
      if (!id.endsWith('.grammar')) return undefined;
      return { code: buildParserFile(source, { fileName: id, moduleStyle: 'es' }).parser, map: null };
    },
  };
}
