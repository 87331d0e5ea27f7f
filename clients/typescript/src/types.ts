// The nouns of the API under short names.

import type { components } from './openapi.js';

type Schemas = components['schemas'];

export type Batch = Schemas['Batch'];
export type CheckedNumbers = Schemas['CheckedNumbers'];
export type Content = Schemas['Content'];
export type Key = Schemas['Key'];
export type KeyList = Schemas['KeyList'];
export type MadeKey = Schemas['MadeKey'];
export type MadeWebhook = Schemas['MadeWebhook'];
export type Message = Schemas['Message'];
export type MessageList = Schemas['MessageList'];
export type NewBatch = Schemas['NewBatch'];
export type NewKey = Schemas['NewKey'];
export type NewMessage = Schemas['NewMessage'];
export type NewSession = Schemas['NewSession'];
export type NewTemplate = Schemas['NewTemplate'];
export type NewVerification = Schemas['NewVerification'];
export type NewWebhook = Schemas['NewWebhook'];
export type PairingCode = Schemas['PairingCode'];
export type Problem = Schemas['Problem'];
export type QrCode = Schemas['QrCode'];
export type Session = Schemas['Session'];
export type SessionChange = Schemas['SessionChange'];
export type SessionList = Schemas['SessionList'];
export type TakenBatch = Schemas['TakenBatch'];
export type Template = Schemas['Template'];
export type TemplateTexts = Schemas['TemplateTexts'];
export type Verification = Schemas['Verification'];
export type VerificationCheck = Schemas['VerificationCheck'];
export type VerificationList = Schemas['VerificationList'];
export type WebhookList = Schemas['WebhookList'];
