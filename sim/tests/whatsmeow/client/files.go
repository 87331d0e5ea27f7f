package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// received are the messages that came in, so that a test can have their files downloaded.
type received struct {
	mutex    sync.Mutex
	messages map[types.MessageID]*waE2E.Message
}

func (all *received) keep(event any) {
	if event, is := event.(*events.Message); is {
		all.mutex.Lock()
		defer all.mutex.Unlock()
		all.messages[event.Info.ID] = event.Message
	}
}

func (all *received) find(id types.MessageID) (*waE2E.Message, error) {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	if message := all.messages[id]; message != nil {
		return message, nil
	}
	return nil, errors.New("no message of this id came in")
}

// trusting returns an HTTP client for whom the certificate in file is the only root.
func trusting(file string) (*http.Client, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}, nil
}

// fileKinds are the kinds of files that tests send, by the names that they use.
var fileKinds = map[string]whatsmeow.MediaType{"image": whatsmeow.MediaImage, "document": whatsmeow.MediaDocument}

// sendFile uploads a file and sends the message that points at it.
func (client *session) sendFile(ctx context.Context, asked command) (any, error) {
	to, err := types.ParseJID(asked.To)
	if err != nil {
		return nil, err
	}
	kind, known := fileKinds[asked.Media]
	if !known {
		return nil, fmt.Errorf("no kind of file is called %q", asked.Media)
	}
	file, err := client.Upload(ctx, asked.Bytes, kind)
	if err != nil {
		return nil, err
	}
	message := &waE2E.Message{}
	if kind == whatsmeow.MediaImage {
		message.ImageMessage = &waE2E.ImageMessage{
			Caption: &asked.Text, Mimetype: &asked.Mimetype, URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
			FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		}
	} else {
		message.DocumentMessage = &waE2E.DocumentMessage{
			FileName: &asked.Text, Mimetype: &asked.Mimetype, URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
			FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		}
	}
	sent, err := client.SendMessage(ctx, to, message)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": sent.ID}, nil
}

// download fetches and decrypts the file of a message that came in. The test gets it in base64.
func (client *session) download(ctx context.Context, id types.MessageID) (any, error) {
	message, err := client.received.find(id)
	if err != nil {
		return nil, err
	}
	return client.DownloadAny(ctx, message)
}
