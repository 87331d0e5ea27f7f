package main

import (
	"go.mau.fi/whatsmeow/types/events"
)

// describe turns an event into what the test is told; nil for events that no test looks at.
func describe(event any) map[string]any {
	switch event := event.(type) {
	case *events.QR:
		return map[string]any{"event": "qr", "codes": event.Codes}
	case *events.PairSuccess:
		return map[string]any{"event": "paired", "jid": event.ID.String(), "lid": event.LID.String()}
	case *events.PairError:
		return map[string]any{"event": "pairing_failed", "why": event.Error.Error()}
	case *events.Connected:
		return map[string]any{"event": "connected"}
	case *events.Disconnected:
		return map[string]any{"event": "disconnected"}
	case *events.LoggedOut:
		return map[string]any{"event": "logged_out", "on_connect": event.OnConnect, "reason": int(event.Reason)}
	case *events.StreamReplaced:
		return map[string]any{"event": "replaced"}
	case *events.TemporaryBan:
		return map[string]any{"event": "banned", "code": int(event.Code), "seconds": event.Expire.Seconds()}
	case *events.ConnectFailure:
		return map[string]any{"event": "refused", "reason": int(event.Reason)}
	case *events.ClientOutdated:
		return map[string]any{"event": "outdated"}
	case *events.StreamError:
		return map[string]any{"event": "stream_error", "code": event.Code}
	case *events.KeepAliveTimeout:
		return map[string]any{"event": "keep_alive_missed", "count": event.ErrorCount}
	case *events.KeepAliveRestored:
		return map[string]any{"event": "keep_alive_restored"}
	case *events.OfflineSyncPreview:
		return map[string]any{
			"event": "waiting", "total": event.Total, "messages": event.Messages,
			"receipts": event.Receipts, "notifications": event.Notifications,
		}
	case *events.OfflineSyncCompleted:
		return map[string]any{"event": "caught_up", "count": event.Count}
	case *events.AppStateSyncComplete:
		return map[string]any{"event": "state_synced", "name": string(event.Name)}
	case *events.PushNameSetting:
		return map[string]any{"event": "own_push_name", "name": event.Action.GetName()}
	default:
		return describeChat(event)
	}
}

// describeChat is about what others do.
func describeChat(event any) map[string]any {
	switch event := event.(type) {
	case *events.Message:
		text := event.Message.GetConversation()
		if text == "" {
			text = event.Message.GetExtendedTextMessage().GetText()
		}
		return map[string]any{
			"event": "message", "id": event.Info.ID, "text": text, "from_me": event.Info.IsFromMe,
			"chat": event.Info.Chat.String(), "sender": event.Info.Sender.String(), "retries": event.RetryCount,
			"caption":   event.Message.GetImageMessage().GetCaption(),
			"push_name": event.Info.PushName, "category": event.Info.Category, "group": event.Info.IsGroup,
		}
	case *events.UndecryptableMessage:
		return map[string]any{"event": "unreadable", "id": event.Info.ID}
	case *events.Receipt:
		return map[string]any{
			"event": "receipt", "ids": event.MessageIDs, "kind": string(event.Type),
			"chat": event.Chat.String(), "sender": event.Sender.String(), "at": event.Timestamp.Unix(),
		}
	case *events.Presence:
		line := map[string]any{"event": "presence", "from": event.From.String(), "available": !event.Unavailable}
		if !event.LastSeen.IsZero() {
			line["last_seen"] = event.LastSeen.Unix()
		}
		return line
	case *events.ChatPresence:
		return map[string]any{
			"event": "chat_state", "chat": event.Chat.String(), "sender": event.Sender.String(),
			"state": string(event.State), "media": string(event.Media),
		}
	case *events.IdentityChange:
		return map[string]any{"event": "identity_changed", "of": event.JID.String(), "implicit": event.Implicit}
	case *events.PushName:
		return map[string]any{"event": "push_name", "of": event.JID.String(), "name": event.NewPushName}
	case *events.Blocklist:
		return map[string]any{"event": "blocklist", "changes": len(event.Changes)}
	default:
		return nil
	}
}
