// Package kafkatest gives tests a Kafka cluster: one that is imitated in this process, and a real broker where
// scripts/with-kafka has started one.
package kafkatest

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Cluster is a cluster that a test has topics of its own on.
type Cluster struct {
	Broker string // host:port
	Prefix string // of the topics' names
	folder string // of a real broker
}

// Each runs a test on every cluster there is.
func Each(t *testing.T, f func(t *testing.T, c Cluster)) {
	t.Helper()
	t.Run("imitated", func(t *testing.T) { f(t, imitated(t)) })
	if broker() != "" {
		t.Run("real", func(t *testing.T) { f(t, Real(t)) })
	}
}

// Any is the real broker where there is one, else an imitated one.
func Any(t testing.TB) Cluster {
	t.Helper()
	if broker() != "" {
		return Real(t)
	}
	return imitated(t)
}

// Real is the real broker. Without one the test skips.
func Real(t testing.TB) Cluster {
	t.Helper()
	if broker() == "" {
		t.Skip("needs Kafka: run it through scripts/with-kafka")
	}
	return Cluster{Broker: broker(), Prefix: prefix(), folder: os.Getenv("BREAKWATER_TEST_KAFKA_FOLDER")}
}

// Safe is the real broker's listener with TLS and passwords, and the file of its authority. The user is plant, the password
// s3cret.
func Safe(t testing.TB) (c Cluster, ca string) {
	t.Helper()
	c = Real(t)
	c.Broker = os.Getenv("BREAKWATER_TEST_KAFKA_SASL")
	return c, filepath.Join(c.folder, "ca.pem")
}

func broker() string { return os.Getenv("BREAKWATER_TEST_KAFKA") }

func prefix() string { return "test-" + strings.ToLower(rand.Text()) + "." }

func imitated(t testing.TB) Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return Cluster{Broker: c.ListenAddrs()[0], Prefix: prefix()}
}

// Kill ends the real broker as by kill -9, and returns when it is gone. It is started again at the test's end at the latest.
func (c Cluster) Kill(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.folder, "pid"))
	if err != nil {
		t.Skip("needs a Kafka of scripts/with-kafka, which may be stopped")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		t.Fatalf("the broker's process is %q", text)
	}
	t.Cleanup(func() {
		if syscall.Kill(pid, 0) != nil && c.PID() == pid {
			c.Start(t)
		}
	})
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if syscall.Kill(pid, 0) != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the broker does not end")
}

// Record is what lies on a topic.
type Record struct {
	Key     string
	Value   []byte
	Headers map[string]string
}

// Records reads what lies on a topic now.
func (c Cluster) Records(t testing.TB, topic string) (all []Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), c.Prefix+topic)
	if err != nil {
		t.Fatal(err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	client.AddConsumeTopics(c.Prefix + topic)
	for late := time.Now().Add(30 * time.Second); int64(len(all)) < left; {
		soon, cancel := context.WithDeadline(t.Context(), late)
		fetched := client.PollFetches(soon)
		cancel()
		if soon.Err() != nil && time.Now().After(late) {
			t.Fatalf("topic %s: %d of %d records could be read", topic, len(all), left)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			one := Record{Key: string(r.Key), Value: r.Value, Headers: map[string]string{}}
			for _, h := range r.Headers {
				one.Headers[h.Key] = string(h.Value)
			}
			all = append(all, one)
		})
	}
	return all
}

// PID is the real broker's process.
func (c Cluster) PID() int {
	text, _ := os.ReadFile(filepath.Join(c.folder, "pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// Start starts the real broker again and returns when it answers.
func (c Cluster) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(filepath.Join(c.folder, "start"))
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(filepath.Join(c.folder, "log"))
		t.Fatalf("the broker does not start: %v\n%s", err, log)
	}
}
