/**
 * Makes the picture of the README's Architecture section from a run: `npm run picture`.
 */
import { writeFileSync } from 'node:fs';
import { draw } from './draw.ts';
import { record } from './record.ts';

// npm runs its scripts in the folder of the package.
writeFileSync('main/assets/threads.svg', draw(await record()));
