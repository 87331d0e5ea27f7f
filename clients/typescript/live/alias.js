// What a program of the old system imports as `@/lib/whatsapp` is this package: `node --import ./live/alias.js …`.

import { register } from 'node:module';

const hooks = `
  export async function resolve(specifier, context, next) {
    return next(specifier === '@/lib/whatsapp' ? '@kurir/client/whatsapp' : specifier, context);
  }
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
