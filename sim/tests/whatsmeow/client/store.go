package main

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// memoryStore is what whatsmeow keeps for one linked device: in memory while the client runs, in
// a file between two runs. It does what whatsmeow's SQL store does, without a database to compile.
//
// What it does not override (chat settings, a contact's name in the address book) is forgotten.
type memoryStore struct {
	*store.NoopStore
	file string

	mutex sync.Mutex
	kept  kept
}

var _ store.AllStores = (*memoryStore)(nil)

// oneTimeKey is a pre-key, and whether the server was given it.
type oneTimeKey struct {
	Private  []byte
	Uploaded bool
}

func (key oneTimeKey) open(id uint32) *keys.PreKey {
	return &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(key.Private)), KeyID: id}
}

func (own *memoryStore) PutIdentity(_ context.Context, address string, key [32]byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.Identities[address] = key[:]
	return nil
}

func (own *memoryStore) DeleteAllIdentities(_ context.Context, user string) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	deleteOf(own.kept.Identities, user)
	return nil
}

func (own *memoryStore) DeleteIdentity(_ context.Context, address string) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	delete(own.kept.Identities, address)
	return nil
}

func (own *memoryStore) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	known := own.kept.Identities[address]
	return known == nil || bytes.Equal(known, key[:]), nil
}

func (own *memoryStore) GetSession(_ context.Context, address string) ([]byte, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.kept.Sessions[address], nil
}

func (own *memoryStore) HasSession(_ context.Context, address string) (bool, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.kept.Sessions[address] != nil, nil
}

// GetManySessions has an entry for each address that was asked for, nil where there is no session.
func (own *memoryStore) GetManySessions(_ context.Context, addresses []string) (map[string][]byte, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	found := make(map[string][]byte, len(addresses))
	for _, address := range addresses {
		found[address] = own.kept.Sessions[address]
	}
	return found, nil
}

func (own *memoryStore) PutSession(_ context.Context, address string, session []byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.Sessions[address] = session
	return nil
}

func (own *memoryStore) PutManySessions(_ context.Context, sessions map[string][]byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	maps.Copy(own.kept.Sessions, sessions)
	return nil
}

func (own *memoryStore) DeleteAllSessions(_ context.Context, user string) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	deleteOf(own.kept.Sessions, user)
	return nil
}

func (own *memoryStore) DeleteSession(_ context.Context, address string) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	delete(own.kept.Sessions, address)
	return nil
}

// deleteOf removes the entries of all devices of a user.
func deleteOf(entries map[string][]byte, user string) {
	maps.DeleteFunc(entries, func(address string, _ []byte) bool { return strings.HasPrefix(address, user+":") })
}

// MigratePNToLID moves what is known of a number's devices to its LID.
func (own *memoryStore) MigratePNToLID(_ context.Context, pn, lid types.JID) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	from, to := pn.SignalAddressUser()+":", lid.SignalAddressUser()+":"
	for _, entries := range []map[string][]byte{own.kept.Sessions, own.kept.Identities} {
		for address, value := range maps.Clone(entries) {
			if device, is := strings.CutPrefix(address, from); is {
				entries[to+device] = value
				delete(entries, address)
			}
		}
	}
	return nil
}

func (own *memoryStore) newKey(uploaded bool) *keys.PreKey {
	own.kept.LastPreKey++
	key := keys.NewPreKey(own.kept.LastPreKey)
	own.kept.PreKeys[key.KeyID] = oneTimeKey{Private: key.Priv[:], Uploaded: uploaded}
	return key
}

func (own *memoryStore) GenOnePreKey(context.Context) (*keys.PreKey, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.newKey(true), nil
}

// GetOrGenPreKeys returns count keys that were not uploaded, in order.
func (own *memoryStore) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	fresh := make([]*keys.PreKey, 0, count)
	for _, id := range slices.Sorted(maps.Keys(own.kept.PreKeys)) {
		if key := own.kept.PreKeys[id]; !key.Uploaded && uint32(len(fresh)) < count {
			fresh = append(fresh, key.open(id))
		}
	}
	for uint32(len(fresh)) < count {
		fresh = append(fresh, own.newKey(false))
	}
	return fresh, nil
}

func (own *memoryStore) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if key, known := own.kept.PreKeys[id]; known {
		return key.open(id), nil
	}
	return nil, nil
}

func (own *memoryStore) RemovePreKey(_ context.Context, id uint32) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	delete(own.kept.PreKeys, id)
	return nil
}

func (own *memoryStore) MarkPreKeysAsUploaded(_ context.Context, last uint32) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	for id, key := range own.kept.PreKeys {
		if id <= last {
			key.Uploaded = true
			own.kept.PreKeys[id] = key
		}
	}
	return nil
}

func (own *memoryStore) UploadedPreKeyCount(context.Context) (int, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	count := 0
	for _, key := range own.kept.PreKeys {
		if key.Uploaded {
			count++
		}
	}
	return count, nil
}

func (own *memoryStore) PutSenderKey(_ context.Context, group, user string, key []byte) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept.SenderKeys[group+" "+user] = key
	return nil
}

func (own *memoryStore) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	return own.kept.SenderKeys[group+" "+user], nil
}
