package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// kept is all that a linked device must remember, as it lies in its file.
type kept struct {
	Noise, Identity, SignedKey, SignedKeySignature []byte
	SignedKeyID, RegistrationID                    uint32
	AdvSecret, Account                             []byte
	JID, LID                                       types.JID
	Platform, BusinessName, PushName               string
	LIDMigration                                   int64

	Identities, Sessions, SenderKeys, Secrets map[string][]byte
	PreKeys                                   map[uint32]oneTimeKey
	LastPreKey                                uint32
	SyncKeys                                  map[string]store.AppStateSyncKey
	AppState                                  map[string]appState
	PushNames, Lids                           map[string]string
	Tokens                                    map[string]store.PrivacyToken
}

func emptyKept() kept {
	return kept{
		Identities: map[string][]byte{}, Sessions: map[string][]byte{}, SenderKeys: map[string][]byte{},
		Secrets: map[string][]byte{}, PreKeys: map[uint32]oneTimeKey{},
		SyncKeys: map[string]store.AppStateSyncKey{}, AppState: map[string]appState{},
		PushNames: map[string]string{}, Lids: map[string]string{}, Tokens: map[string]store.PrivacyToken{},
	}
}

// openStore reads what was kept under a name; an unlinked device if there is nothing.
func openStore(folder, name string) (*memoryStore, error) {
	own := &memoryStore{NoopStore: &store.NoopStore{}, file: filepath.Join(folder, name+".json"), kept: emptyKept()}
	content, err := os.ReadFile(own.file)
	if errors.Is(err, fs.ErrNotExist) {
		return own, nil
	} else if err != nil {
		return nil, err
	}
	return own, json.Unmarshal(content, &own.kept)
}

// keep writes the store to its file, or removes the file of a device that is no longer linked.
func (own *memoryStore) keep() error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	if own.kept.JID.IsEmpty() {
		if err := os.Remove(own.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	content, err := json.Marshal(&own.kept)
	if err != nil {
		return err
	}
	return os.WriteFile(own.file, content, 0o600)
}

// device is the linked device that was kept, or a new one that is not linked.
func (own *memoryStore) device() *store.Device {
	device := &store.Device{
		Initialized: true, Identities: own, Sessions: own, PreKeys: own, SenderKeys: own, AppStateKeys: own,
		AppState: own, Contacts: own, ChatSettings: own, MsgSecrets: own, PrivacyTokens: own, EventBuffer: own,
		LIDs: own, Container: own,
	}
	if own.kept.JID.IsEmpty() {
		var registration [4]byte
		device.AdvSecretKey = make([]byte, 32)
		// Neither call fails: without a source of randomness the program ends.
		_, _ = rand.Read(registration[:])
		_, _ = rand.Read(device.AdvSecretKey)
		device.RegistrationID = binary.BigEndian.Uint32(registration[:])
		device.NoiseKey, device.IdentityKey = keys.NewKeyPair(), keys.NewKeyPair()
		device.SignedPreKey = device.IdentityKey.CreateSignedPreKey(1)
		return device
	}
	open := func(private []byte) *keys.KeyPair { return keys.NewKeyPairFromPrivateKey([32]byte(private)) }
	from, jid, account := &own.kept, own.kept.JID, &waAdv.ADVSignedDeviceIdentity{}
	if err := proto.Unmarshal(from.Account, account); err != nil {
		panic("the kept account does not parse: " + err.Error())
	}
	signature := [64]byte(from.SignedKeySignature)
	device.NoiseKey, device.IdentityKey = open(from.Noise), open(from.Identity)
	device.SignedPreKey = &keys.PreKey{KeyPair: *open(from.SignedKey), KeyID: from.SignedKeyID, Signature: &signature}
	device.RegistrationID, device.AdvSecretKey, device.Account = from.RegistrationID, from.AdvSecret, account
	device.ID, device.LID = &jid, from.LID
	device.Platform, device.BusinessName, device.PushName = from.Platform, from.BusinessName, from.PushName
	device.LIDMigrationTimestamp = from.LIDMigration
	return device
}

// PutDevice remembers a device: whatsmeow calls it once it is linked, and when it changed.
func (own *memoryStore) PutDevice(_ context.Context, device *store.Device) error {
	account, err := proto.Marshal(device.Account)
	if err != nil {
		return err
	}
	own.mutex.Lock()
	defer own.mutex.Unlock()
	into := &own.kept
	into.Noise, into.Identity = device.NoiseKey.Priv[:], device.IdentityKey.Priv[:]
	into.SignedKey, into.SignedKeySignature = device.SignedPreKey.Priv[:], device.SignedPreKey.Signature[:]
	into.SignedKeyID, into.RegistrationID = device.SignedPreKey.KeyID, device.RegistrationID
	into.AdvSecret, into.Account = device.AdvSecretKey, account
	into.JID, into.LID = device.GetJID(), device.LID
	into.Platform, into.BusinessName, into.PushName = device.Platform, device.BusinessName, device.PushName
	into.LIDMigration = device.LIDMigrationTimestamp
	return nil
}

// DeleteDevice forgets everything: the device was logged out.
func (own *memoryStore) DeleteDevice(context.Context, *store.Device) error {
	own.mutex.Lock()
	defer own.mutex.Unlock()
	own.kept = emptyKept()
	return nil
}
