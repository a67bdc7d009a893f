// Tests of a Go client with the command openkitchen: go test
package client

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// start starts a command that listens, with this page on stdin. It returns its URL, and a function
// that waits for its end and returns the exit code.
func start(t *testing.T, page string, arguments ...string) (string, func() int) {
	t.Helper()
	command := exec.Command("openkitchen", arguments...)
	command.Stdin = strings.NewReader(page)
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadString('\n') // it listens by now
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(first)
	return words[len(words)-1], func() int {
		io.Copy(io.Discard, lines)
		command.Wait()
		return command.ProcessState.ExitCode()
	}
}

func TestAResponseThatIsCut(t *testing.T) {
	url, wait := start(t, ">>>\nGET /menu HTTP/1.1\nHost: h\n\n"+
		"<<<\nHTTP/1.1 200 OK\nContent-Length: 100\n\nonly this\\\n--- server closed\n", "mock", "-")
	response, err := http.Get(url + "/menu")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(response.Body)
	if !errors.Is(err, io.ErrUnexpectedEOF) || string(content) != "only this" {
		t.Fatalf("%q, %v", content, err)
	}
	if code := wait(); code != 0 {
		t.Fatalf("the request was not as written: %d", code)
	}
}

// A pooled connection that the server resets: Go sends a GET again, on a new connection.
func TestAResetIsTriedAgain(t *testing.T) {
	folder := t.TempDir()
	url, _ := start(t, "", "mock", "--loop", "--record", folder, "../pages")
	for i := 0; i < 2; i++ {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	recordings, err := filepath.Glob(filepath.Join(folder, "*.wire"))
	if err != nil || len(recordings) < 2 {
		t.Fatalf("%d connections, %v", len(recordings), err)
	}
}

// A server of yours, checked with a page.
func TestAServer(t *testing.T) {
	url, _ := start(t, "<<<\nHTTP/1.1 200 OK\nContent-Length: 2\n\nhi\\\n", "mock", "--loop", "-")
	check := exec.Command("openkitchen", "check", url, "-")
	check.Stdin = strings.NewReader(">>>\nGET / HTTP/1.1\nHost: h\n\n???\nstatus 200\nbody \"hi\"\n")
	if output, err := check.Output(); err != nil {
		t.Fatalf("%s%v", output, err)
	}
}
