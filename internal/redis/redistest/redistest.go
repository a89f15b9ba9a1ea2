// Package redistest gives tests real Redis servers of their own, which they may stop and start again.
//
// It knows how the server is run: BREAKWATER_TEST_REDIS names the program, as scripts/with-redis does; without it tests
// that need one skip. It does not know the driver.
package redistest

import (
	"bufio"
	"flag"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program names the server's executable.
const program = "BREAKWATER_TEST_REDIS"

// again is set while Again runs the tests of a package over Redis.
const again = "BREAKWATER_TEST_ON_REDIS"

// Server is one Redis on a port of this machine. It keeps nothing on disk: stopped and started again it is empty.
type Server struct {
	Address string // host:port
	t       testing.TB
	process *exec.Cmd
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getenv(program) == "" {
		t.Skip("needs Redis: run it through scripts/with-redis")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Address: free.Addr().String(), t: t}
	free.Close()
	s.Start()
	t.Cleanup(s.Stop)
	return s
}

// URL is where clients find it.
func (s *Server) URL() string { return "redis://" + s.Address }

// Start runs it again, at the same place.
func (s *Server) Start() {
	s.t.Helper()
	_, port, _ := net.SplitHostPort(s.Address)
	s.process = exec.Command(os.Getenv(program), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", os.TempDir(), "--loglevel", "warning")
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); !s.answers(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("Redis does not answer")
		}
	}
}

func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Address, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	answer, _ := bufio.NewReader(conn).ReadString('\n')
	return strings.HasPrefix(answer, "+PONG")
}

// Stop ends it; nobody answers at its place then.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	s.process.Process.Kill()
	s.process.Wait()
	s.process = nil
}

// Pause lets it hang: connections stay, and nothing is answered until Resume.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause; what was sent meanwhile is done now.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(which syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

// OnRedis reports whether the tests of the package run over Redis now: see Again.
func OnRedis() bool { return os.Getenv(again) != "" }

// Again runs all tests of the calling package once more, in a process in which OnRedis is true: one list of laws for what
// is embedded and for what goes over Redis. Tests whose names begin with TestRedis have one in either run: they are left out.
func Again(t *testing.T) {
	t.Helper()
	if OnRedis() {
		t.Skip("this is the other run")
	}
	if os.Getenv(program) == "" {
		t.Skip("needs Redis: run it through scripts/with-redis")
	}
	args := []string{"-test.skip=^(" + t.Name() + "$|TestRedis)"}
	for _, name := range []string{"test.timeout", "test.short", "test.parallel", "test.v"} {
		args = append(args, "-"+name+"="+flag.Lookup(name).Value.String())
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), again+"=yes")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("over Redis: %v\n%s", err, out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}
