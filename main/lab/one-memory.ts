/**
 * Opens all regions of the one memory, in one order. Whoever runs labs imports this before anything else: so the memory has the same layout in every program that
 * is made of these files, and an image of it that one has saved fits the others.
 */
import './lab.ts';
