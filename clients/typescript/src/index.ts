export { KurirError, type KurirErrorParts } from './error.js';
export type { Envelope, EventOptions, KurirEvent } from './events.js';
export { Kurir, type SendOptions } from './kurir.js';
export type { components, operations, paths } from './openapi.js';
export type { Answer, CallOptions, MethodOf, Operation, Path, RequestOptions } from './operation.js';
export type { Settings } from './transport.js';
export type * from './types.js';
export { WhatsAppDesk } from './whatsapp_desk.js';
export * from './whatsapp.js';
