package main

import (
	"context"
	"encoding/hex"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// appState is how far a collection of synchronised state was read.
type appState struct {
	Version uint64
	Hash    []byte
	Macs    map[string][]byte
}

func (own *memoryStore) PutAppStateSyncKey(_ context.Context, id []byte, key store.AppStateSyncKey) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.SyncKeys[hex.EncodeToString(id)] = key
	return nil
}

func (own *memoryStore) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if key, known := own.kept.SyncKeys[hex.EncodeToString(id)]; known {
		return &key, nil
	}
	return nil, nil
}

func (own *memoryStore) GetLatestAppStateSyncKeyID(context.Context) ([]byte, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	latest, newest := "", int64(-1)
	for id, key := range own.kept.SyncKeys {
		if key.Timestamp > newest {
			latest, newest = id, key.Timestamp
		}
	}
	return hex.DecodeString(latest)
}

func (own *memoryStore) PutAppStateVersion(_ context.Context, name string, version uint64, hash [128]byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	state := own.kept.AppState[name]
	state.Version, state.Hash = version, hash[:]
	own.kept.AppState[name] = state
	return nil
}

func (own *memoryStore) GetAppStateVersion(_ context.Context, name string) (version uint64, hash [128]byte, err error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if state := own.kept.AppState[name]; state.Version > 0 {
		version, hash = state.Version, [128]byte(state.Hash)
	}
	return
}

func (own *memoryStore) DeleteAppStateVersion(_ context.Context, name string) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	delete(own.kept.AppState, name)
	return nil
}

func (own *memoryStore) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, mutations []store.AppStateMutationMAC) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	state := own.kept.AppState[name]
	if state.Macs == nil {
		state.Macs = map[string][]byte{}
	}
	for _, mutation := range mutations {
		state.Macs[hex.EncodeToString(mutation.IndexMAC)] = mutation.ValueMAC
	}
	own.kept.AppState[name] = state
	return nil
}

func (own *memoryStore) DeleteAppStateMutationMACs(_ context.Context, name string, indexes [][]byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	for _, index := range indexes {
		delete(own.kept.AppState[name].Macs, hex.EncodeToString(index))
	}
	return nil
}

func (own *memoryStore) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.kept.AppState[name].Macs[hex.EncodeToString(index)], nil
}

// PutPushName tells whether the name is new, and the one before.
func (own *memoryStore) PutPushName(_ context.Context, user types.JID, name string) (bool, string, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	before := own.kept.PushNames[user.String()]
	own.kept.PushNames[user.String()] = name
	return before != name, before, nil
}

func secretName(chat, sender types.JID, id types.MessageID) string {
	return chat.ToNonAD().String() + " " + sender.ToNonAD().String() + " " + id
}

func (own *memoryStore) PutMessageSecrets(ctx context.Context, inserts []store.MessageSecretInsert) error {
	for _, insert := range inserts {
		if err := own.PutMessageSecret(ctx, insert.Chat, insert.Sender, insert.ID, insert.Secret); err != nil {
			return err
		}
	}
	return nil
}

func (own *memoryStore) PutMessageSecret(_ context.Context, chat, sender types.JID, id types.MessageID, secret []byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.Secrets[secretName(chat, sender, id)] = secret
	return nil
}

func (own *memoryStore) GetMessageSecret(_ context.Context, chat, sender types.JID, id types.MessageID) ([]byte, types.JID, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.kept.Secrets[secretName(chat, sender, id)], sender, nil
}

func (own *memoryStore) PutPrivacyTokens(_ context.Context, tokens ...store.PrivacyToken) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	for _, token := range tokens {
		own.kept.Tokens[token.User.ToNonAD().String()] = token
	}
	return nil
}

func (own *memoryStore) GetPrivacyToken(_ context.Context, user types.JID) (*store.PrivacyToken, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if token, known := own.kept.Tokens[user.ToNonAD().String()]; known {
		return &token, nil
	}
	return nil, nil
}

func (own *memoryStore) PutLIDMapping(_ context.Context, lid, pn types.JID) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.Lids[pn.User] = lid.User
	return nil
}

func (own *memoryStore) PutManyLIDMappings(ctx context.Context, mappings []store.LIDMapping) error {
	for _, mapping := range mappings {
		if err := own.PutLIDMapping(ctx, mapping.LID, mapping.PN); err != nil {
			return err
		}
	}
	return nil
}

func (own *memoryStore) GetPNForLID(_ context.Context, lid types.JID) (types.JID, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	for pn, user := range own.kept.Lids {
		if user == lid.User {
			return types.JID{User: pn, Device: lid.Device, Server: types.DefaultUserServer}, nil
		}
	}
	return types.JID{}, nil
}

func (own *memoryStore) GetLIDForPN(_ context.Context, pn types.JID) (types.JID, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if user, known := own.kept.Lids[pn.User]; known {
		return types.JID{User: user, Device: pn.Device, Server: types.HiddenUserServer}, nil
	}
	return types.JID{}, nil
}

func (own *memoryStore) GetManyLIDsForPNs(ctx context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	lids := make(map[types.JID]types.JID, len(pns))
	for _, pn := range pns {
		if lid, err := own.GetLIDForPN(ctx, pn); err == nil && !lid.IsEmpty() {
			lids[pn] = lid
		}
	}
	return lids, nil
}
