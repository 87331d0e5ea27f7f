// Command client runs whatsmeow, unmodified, for the tests of kurir's simulator.
//
// It reads one JSON object per line from standard input, each a command, and writes one per line
// to standard output: answers (they have "re", the number of their command), events (they have
// "event"), and what whatsmeow logs (in "log").
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"go.mau.fi/whatsmeow"
)

// Lines longer than this are a mistake of the test.
const longestLine = 1 << 20

// command is what a test asks for.
type command struct {
	Number int    `json:"number"`
	Client string `json:"client"`
	Do     string `json:"do"`
	arguments
}

// output writes whole lines, one at a time.
type output struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (out *output) write(line map[string]any) {
	out.mutex.Lock()
	defer out.mutex.Unlock()
	if err := out.encoder.Encode(line); err != nil {
		fmt.Fprintln(os.Stderr, "the test does not listen any more:", err)
		os.Exit(1)
	}
}

func main() {
	server := flag.String("server", "", "where the simulator accepts clients, as HOST:PORT")
	root := flag.String("root", "", "the public key that signs the server's certificates, in hex")
	mediaRoot := flag.String("media-root", "", "a file with the certificate, in PEM, that signs the media server's")
	folder := flag.String("folder", "", "where credentials are kept")
	keepAlive := flag.Duration("keep-alive", 0, "ask for a sign of life this often; 0 as whatsmeow does")
	flag.Parse()
	if err := trust(*root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	media, err := trusting(*mediaRoot)
	if err != nil {
		fmt.Fprintln(os.Stderr, "-media-root:", err)
		os.Exit(2)
	}
	if *keepAlive > 0 {
		whatsmeow.KeepAliveIntervalMin, whatsmeow.KeepAliveIntervalMax = *keepAlive, *keepAlive+time.Millisecond
	}
	out := &output{encoder: json.NewEncoder(os.Stdout)}
	// whatsmeow's Signal library prints what it thinks of bad messages.
	os.Stdout = os.Stderr
	clients := &clients{server: *server, media: media, folder: *folder, out: out, running: map[string]*session{}}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		var asked command
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "not a command:", err)
			os.Exit(2)
		}
		// A command may wait for the server, and others must go on meanwhile.
		go func() {
			answer := map[string]any{"re": asked.Number}
			if result, err := clients.obey(asked); err != nil {
				answer["error"] = err.Error()
			} else {
				answer["result"] = result
			}
			out.write(answer)
		}()
	}
}

// trust makes whatsmeow accept certificates that are signed with the key root.
func trust(root string) error {
	key, err := hex.DecodeString(root)
	if err != nil || len(key) != len(whatsmeow.WACertPubKey) {
		return fmt.Errorf("-root must be %d bytes in hex", len(whatsmeow.WACertPubKey))
	}
	copy(whatsmeow.WACertPubKey[:], key)
	return nil
}
