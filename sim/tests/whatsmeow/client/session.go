package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// clients are the clients of one test, by name.
type clients struct {
	server string
	media  *http.Client
	folder string
	out    *output

	mutex   sync.Mutex
	running map[string]*session
}

// session is one whatsmeow client with its store.
type session struct {
	*whatsmeow.Client
	store    *memoryStore
	received received
}

var errNotRunning = errors.New("no client of this name runs")

func (all *clients) find(name string) (*session, error) {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if one := all.running[name]; one != nil {
		return one, nil
	}
	return nil, errNotRunning
}

// start makes a client on the credentials that were kept under its name, or on new ones.
func (all *clients) start(name string) error {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if all.running[name] != nil {
		return errors.New("a client of this name runs")
	}
	kept, err := openStore(all.folder, name)
	if err != nil {
		return fmt.Errorf("can't read the kept credentials: %w", err)
	}
	log := &logger{module: name, everything: os.Getenv("WHATSMEOW_LOG") != "", out: all.out}
	client := whatsmeow.NewClient(kept.device(), log)
	dialed := dialOnly(all.server)
	client.SetPreLoginHTTPClient(dialed)
	client.SetWebsocketHTTPClient(dialed)
	client.SetMediaHTTPClient(all.media)
	one := &session{Client: client, store: kept, received: received{messages: map[string]*waE2E.Message{}}}
	client.AddEventHandler(func(event any) {
		one.received.keep(event)
		all.tell(name, event)
	})
	if err := client.Connect(); err != nil {
		return err
	}
	all.running[name] = one
	return nil
}

// stop ends a client and keeps its credentials.
func (all *clients) stop(name string) error {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	one := all.running[name]
	if one == nil {
		return errNotRunning
	}
	delete(all.running, name)
	one.Disconnect()
	return one.store.keep()
}

// tell reports an event to the test, if it is one that tests look at.
func (all *clients) tell(name string, event any) {
	if line := describe(event); line != nil {
		line["client"] = name
		all.out.write(line)
	} else if failure, is := event.(events.PermanentDisconnect); is {
		all.out.write(map[string]any{"client": name, "event": "ended", "why": failure.PermanentDisconnectDescription()})
	}
}

// dialOnly returns an HTTP client whose every connection goes to server, whatever the URL says,
// and without TLS: whatsmeow's addresses are constants that begin with wss and https.
func dialOnly(server string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
}

// logger reports what whatsmeow warns of, or everything if WHATSMEOW_LOG is set, in order with the
// answers and events.
type logger struct {
	module     string
	everything bool
	out        *output
}

func (log *logger) line(level, message string, args ...any) {
	log.out.write(map[string]any{"log": fmt.Sprintf("%s %s: %s", level, log.module, fmt.Sprintf(message, args...))})
}

func (log *logger) Errorf(message string, args ...any) { log.line("error", message, args...) }
func (log *logger) Warnf(message string, args ...any)  { log.line("warn", message, args...) }

func (log *logger) Infof(message string, args ...any) {
	if log.everything {
		log.line("info", message, args...)
	}
}

func (log *logger) Debugf(message string, args ...any) {
	if log.everything {
		log.line("debug", message, args...)
	}
}

func (log *logger) Sub(module string) waLog.Logger {
	return &logger{module: log.module + "/" + module, everything: log.everything, out: log.out}
}
