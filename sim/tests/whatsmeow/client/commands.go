package main

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// How long a command may wait for the server.
const patience = 30 * time.Second

// arguments of all commands; each uses some.
type arguments struct {
	To    string   `json:"to"`
	ID    string   `json:"id"`
	Text  string   `json:"text"`
	IDs   []string `json:"ids"`
	Of    []string `json:"of"`
	State string   `json:"state"`
	Media string   `json:"media"`
	// In base64.
	Bytes    []byte `json:"bytes"`
	Mimetype string `json:"mimetype"`
}

// obey carries a command out and returns what the test is answered.
func (all *clients) obey(asked command) (any, error) {
	switch asked.Do {
	case "start":
		return nil, all.start(asked.Client)
	case "stop":
		return nil, all.stop(asked.Client)
	}
	client, err := all.find(asked.Client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return client.obey(ctx, asked)
}

func (client *session) obey(ctx context.Context, asked command) (any, error) {
	switch asked.Do {
	case "send":
		return client.send(ctx, asked)
	case "send_file":
		return client.sendFile(ctx, asked)
	case "download":
		return client.download(ctx, asked.ID)
	case "create_group":
		return client.createGroup(ctx, asked)
	case "group":
		return client.group(ctx, asked)
	case "member":
		return client.member(ctx, asked)
	case "read":
		return client.read(ctx, asked)
	case "check":
		return client.check(ctx, asked.Of)
	case "devices":
		return client.devices(ctx, asked.Of)
	case "info":
		return client.info(ctx, asked.Of)
	case "presence":
		return nil, client.SendPresence(ctx, types.Presence(asked.State))
	case "subscribe":
		to, err := types.ParseJID(asked.To)
		if err != nil {
			return nil, err
		}
		return nil, client.SubscribePresence(ctx, to)
	case "chat_state":
		to, err := types.ParseJID(asked.To)
		if err != nil {
			return nil, err
		}
		state, media := types.ChatPresence(asked.State), types.ChatPresenceMedia(asked.Media)
		return nil, client.SendChatPresence(ctx, to, state, media)
	case "blocklist":
		list, err := client.GetBlocklist(ctx)
		return blocked(list), err
	case "block", "unblock":
		return client.block(ctx, asked)
	case "privacy":
		settings, err := client.TryFetchPrivacySettings(ctx, true)
		return settings, err
	case "picture":
		to, err := types.ParseJID(asked.To)
		if err != nil {
			return nil, err
		}
		return client.GetProfilePictureInfo(ctx, to, nil)
	case "self":
		return client.self(ctx)
	case "logout":
		return nil, client.Logout(ctx)
	case "pair_phone":
		return client.PairPhone(ctx, asked.To, false, whatsmeow.PairClientChrome, "Chrome (Linux)")
	default:
		return nil, fmt.Errorf("no command is called %q", asked.Do)
	}
}

// send sends a text and waits for the server's answer.
func (client *session) send(ctx context.Context, asked command) (any, error) {
	to, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	message := &waE2E.Message{Conversation: proto.String(asked.Text)}
	sent, err := client.SendMessage(ctx, to, message, whatsmeow.SendRequestExtra{ID: asked.ID})
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": sent.ID, "at": sent.Timestamp.Unix()}, nil
}

func (client *session) read(ctx context.Context, asked command) (any, error) {
	chat, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	return nil, client.MarkRead(ctx, asked.IDs, time.Now(), chat, types.EmptyJID)
}

// check tells which numbers have WhatsApp.
func (client *session) check(ctx context.Context, numbers []string) (any, error) {
	answers, err := client.IsOnWhatsApp(ctx, numbers)
	if err != nil {
		return nil, err
	}
	registered := map[string]any{}
	for _, answer := range answers {
		registered[answer.Query] = map[string]any{"registered": answer.IsIn, "jid": answer.JID.String()}
	}
	return registered, nil
}

func parse(texts []string) ([]types.JID, error) {
	jids := make([]types.JID, 0, len(texts))
	for _, text := range texts {
		jid, err := types.ParseJID(text)
		if err != nil {
			return nil, err
		}
		jids = append(jids, jid)
	}
	return jids, nil
}

func (client *session) devices(ctx context.Context, of []string) (any, error) {
	jids, err := parse(of)
	if err != nil {
		return nil, err
	}
	devices, err := client.GetUserDevices(ctx, jids)
	texts := make([]string, 0, len(devices))
	for _, device := range devices {
		texts = append(texts, device.String())
	}
	return texts, err
}

func (client *session) info(ctx context.Context, of []string) (any, error) {
	jids, err := parse(of)
	if err != nil {
		return nil, err
	}
	infos, err := client.GetUserInfo(ctx, jids)
	told := map[string]any{}
	for jid, info := range infos {
		told[jid.String()] = map[string]any{"status": info.Status, "lid": info.LID.String(), "devices": len(info.Devices)}
	}
	return told, err
}

func blocked(list *types.Blocklist) []string {
	texts := []string{}
	if list != nil {
		for _, jid := range list.JIDs {
			texts = append(texts, jid.String())
		}
	}
	return texts
}

func (client *session) block(ctx context.Context, asked command) (any, error) {
	to, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	list, err := client.UpdateBlocklist(ctx, to, events.BlocklistChangeAction(asked.Do))
	return blocked(list), err
}

// self tells what the client knows about its own account.
func (client *session) self(ctx context.Context) (any, error) {
	uploaded, err := client.store.UploadedPreKeyCount(ctx)
	return map[string]any{
		"jid": client.Store.GetJID().String(), "lid": client.Store.GetLID().String(),
		"push_name": client.Store.PushName, "uploaded_keys": uploaded,
	}, err
}
