// The types are those of the description that the gateway serves.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript';

test('src/openapi.ts is what docs/openapi.json makes', async () => {
  // From build/test, where this runs.
  const made = `${COMMENT_HEADER}${astToString(await openapiTS(new URL('../../../../docs/openapi.json', import.meta.url)))}`;
  const committed = await readFile(new URL('../../src/openapi.ts', import.meta.url), 'utf8');
  assert.ok(made === committed, 'docs/openapi.json has changed: run `npm run generate` in clients/typescript');
});
