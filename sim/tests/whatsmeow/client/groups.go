package main

import (
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
)

// createGroup makes a group of the client and the members that are named, and returns its address.
func (client *session) createGroup(ctx context.Context, asked command) (any, error) {
	members, err := parse(asked.Of)
	if err != nil {
		return nil, err
	}
	group, err := client.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: asked.Text, Participants: members})
	if err != nil {
		return nil, err
	}
	return group.JID.String(), nil
}

// group tells what the server says of a group.
func (client *session) group(ctx context.Context, asked command) (any, error) {
	id, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	group, err := client.GetGroupInfo(ctx, id)
	if err != nil {
		return nil, err
	}
	return map[string]any{"subject": group.Name, "size": len(group.Participants)}, nil
}

// member adds somebody to a group or removes somebody, as the state says.
func (client *session) member(ctx context.Context, asked command) (any, error) {
	id, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	members, err := parse(asked.Of)
	if err != nil {
		return nil, err
	}
	_, err = client.UpdateGroupParticipants(ctx, id, members, whatsmeow.ParticipantChange(asked.State))
	return nil, err
}
