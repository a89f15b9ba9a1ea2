// Package kafka carries what nodes, sensors and other systems tell each other over Apache Kafka.
//
//	sensor ─► SendBatches ─► network_data ─┐
//	others ─► detections, alerts, … ───────┼─► Consume, one worker a partition ─► Take ─► durable ─► committed
//	API    ─► Forward ─► traffic ──────────┘        (in order of a facility)       └─► wrong for ever ─► TOPIC.dlq
//	server ─► Put ─► alerts, predictions, fl_events ─► others; Watch ─► pages of other nodes
//
// It knows the topics, their headers and what a commit waits for, and hides the client library, its retries and
// rebalances. It does not know what a record means: that is for who takes it. Delivery is at least once: what was taken is
// committed afterwards, so that after a crash some comes again.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"breakwater"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The topics. Their records' keys are facilities' ids, and their values JSON as the API has it, but for Traffic's.
const (
	NetworkData = "network_data" // sensors' batches, and seconds of network data that other programs counted
	Detections  = "detections"   // of detectors outside
	Alerts      = "alerts"
	Predictions = "predictions"
	FLEvents    = "fl_events"
	Traffic     = "traffic" // captures and logs that come over the API, on their way to the node that has the facility
)

// Topics are all of them, beside those of dead letters.
var Topics = []string{NetworkData, Detections, Alerts, Predictions, FLEvents, Traffic}

// deadLetters ends the name of the topic to which what cannot be taken goes.
const deadLetters = ".dlq"

// partitions is how many a topic gets that is not there yet: as many facilities are worked on at once, over all nodes.
const partitions = 12

// Names of headers.
const (
	HeaderSchema = "schema" // what a value is, as batch/1
	HeaderType   = "type"   // of our own alerts, predictions and federated learning: the live message's, as alert_created
	HeaderNode   = "node"   // which Breakwater node says so; what has it is no other system's
	headerError  = "error"  // on dead letters: what is wrong, and whence the record is
	headerTopic  = "topic"
	headerWhere  = "partition"
	headerOffset = "offset"
)

// Settings say how a cluster is reached. The zero value of each but Brokers is none.
type Settings struct {
	Brokers   []string // host:port
	Group     string   // of the nodes that share the work
	Prefix    string   // of the topics' names on the cluster
	TLS       bool
	CAFile    string // PEM, of the authority that signs for the brokers; "": those of this machine
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; "": no password is asked for
	Username  string
	Password  string
}

// Mechanisms are the ways in which a broker may ask for a password.
var Mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// CheckBrokers refuses what names no brokers, in words that say what does. The error is of kind Invalid.
func CheckBrokers(brokers []string) error {
	for _, b := range brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return &breakwater.Error{Kind: breakwater.Invalid, Field: "KAFKA_BOOTSTRAP_SERVERS", Message: fmt.Sprintf("%q names no broker: write it as host:9092", b)}
		}
	}
	return nil
}

// options are those of every client.
func (s Settings) options() ([]kgo.Opt, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(s.Brokers...), kgo.ClientID("breakwater"),
		kgo.DialTimeout(5 * time.Second),
		// A broker that comes back is found again within a second or two.
		kgo.MetadataMinAge(500 * time.Millisecond),
		kgo.RetryBackoffFn(func(failed int) time.Duration {
			d := min(100*time.Millisecond<<min(failed, 4), time.Second)
			return d/2 + rand.N(d/2)
		}),
	}
	if s.TLS {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if s.CAFile != "" {
			pem, err := os.ReadFile(s.CAFile)
			if err != nil {
				return nil, &breakwater.Error{Kind: breakwater.Unavailable, Field: "KAFKA_TLS_CA_FILE", Message: "KAFKA_TLS_CA_FILE " + s.CAFile + " cannot be read", Err: err}
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "KAFKA_TLS_CA_FILE", Message: "KAFKA_TLS_CA_FILE " + s.CAFile + " holds no certificate in PEM"}
			}
		}
		all = append(all, kgo.DialTLSConfig(config))
	}
	switch s.Mechanism {
	case "PLAIN":
		all = append(all, kgo.SASL(plain.Auth{User: s.Username, Pass: s.Password}.AsMechanism()))
	case "SCRAM-SHA-256":
		all = append(all, kgo.SASL(scram.Auth{User: s.Username, Pass: s.Password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		all = append(all, kgo.SASL(scram.Auth{User: s.Username, Pass: s.Password}.AsSha512Mechanism()))
	}
	return all, nil
}

// Cluster is a line to a Kafka cluster. Its methods may be called at the same time.
type Cluster struct {
	settings Settings
	log      *slog.Logger
	client   *kgo.Client
	admin    *kadm.Client
}

const (
	// deliveryTimeout is how long a record may wait for its acknowledgement before its sender is told that Kafka is away.
	deliveryTimeout = 15 * time.Second
	// bufferedMax bounds what waits to be sent, in bytes: who sends more waits.
	bufferedMax = 64 << 20
	// sessionTimeout is after what silence the group gives a node's partitions to the others: brokers take no less by default.
	sessionTimeout = 6 * time.Second
	// askTimeout bounds a question to the cluster.
	askTimeout = 5 * time.Second
)

// Open makes the line; nothing is sent yet, and brokers that are away are looked for again and again.
func Open(s Settings, log *slog.Logger) (*Cluster, error) {
	all, err := s.options()
	if err != nil {
		return nil, err
	}
	// Idempotent, and acknowledged by all replicas in sync: the library's defaults.
	client, err := kgo.NewClient(append(all, kgo.RecordDeliveryTimeout(deliveryTimeout), kgo.MaxBufferedBytes(bufferedMax))...)
	if err != nil {
		return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "KAFKA_BOOTSTRAP_SERVERS", Message: "Kafka cannot be used with these settings", Err: err}
	}
	return &Cluster{settings: s, log: log, client: client, admin: kadm.NewClient(client)}, nil
}

// Close gives the connections back. What was not acknowledged by then is not sent.
func (c *Cluster) Close() { c.client.Close() }

// Ping asks whether a broker answers. The error is of kind Unavailable.
func (c *Cluster) Ping(ctx context.Context) error { return c.failed(c.client.Ping(ctx)) }

// Lag is how many records the group has not committed yet, over all topics that it takes.
func (c *Cluster) Lag(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	groups, err := c.admin.Lag(ctx, c.settings.Group)
	if err == nil {
		err = groups.Error()
	}
	if err != nil {
		return 0, c.failed(err)
	}
	behind := int64(0)
	groups.Each(func(g kadm.DescribedGroupLag) { behind += max(g.Lag.Total(), 0) })
	return behind, nil
}

// Prepare makes the topics that are not there. It goes on until they are, or ctx ends: before, there is nothing to take.
func (c *Cluster) Prepare(ctx context.Context) {
	var names []string
	for _, topic := range Topics {
		names = append(names, c.settings.Prefix+topic, c.settings.Prefix+topic+deadLetters)
	}
	told := ""
	for wait := newBackoff(); ; {
		err := c.makeTopics(ctx, names)
		if err == nil {
			return
		}
		if err.Error() != told && ctx.Err() == nil { // once it is reached it may refuse
			told = err.Error()
			c.log.Warn("Kafka's topics cannot be made yet; it will be tried again", "err", err)
		}
		wait.failed()
		if !wait.wait(ctx) {
			return
		}
	}
}

func (c *Cluster) makeTopics(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	there, err := c.admin.ListTopics(ctx, names...)
	if err != nil {
		return c.failed(err)
	}
	var missing []string
	for _, name := range names {
		if t, ok := there[name]; !ok || t.Err != nil {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	made, err := c.admin.CreateTopics(ctx, partitions, -1, nil, missing...) // as many replicas as the cluster's default
	if err != nil {
		return c.failed(err)
	}
	for _, m := range made {
		if m.Err != nil && !errors.Is(m.Err, kerr.TopicAlreadyExists) {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "Kafka does not make topic " + m.Topic + ": let its user create topics, or make it by hand", Err: m.Err}
		}
	}
	return nil
}

// failed says what an error of the library means to a person. nil stays nil.
func (c *Cluster) failed(err error) error {
	if err == nil {
		return nil
	}
	at := "Kafka at " + strings.Join(c.settings.Brokers, ",")
	kind, message := breakwater.Unavailable, at+" cannot be reached"
	switch {
	case errors.Is(err, kerr.MessageTooLarge):
		kind, message = breakwater.TooLarge, at+" takes no record of this size: raise its message.max.bytes"
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism):
		message = at + " refuses the user: check KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD"
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		message = at + " does not permit this: its access rules must let the user read, write and describe Breakwater's topics and group"
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		message = at + " does not have the topic yet: breakwater serve makes it"
	}
	return &breakwater.Error{Kind: kind, Message: message, Err: err}
}

// backoff is how long to wait before the next attempt: short enough that what is back is found within seconds.
type backoff struct{ attempts int }

func newBackoff() *backoff { return new(backoff) }

// failed counts a failure and says the how manieth in a row it is.
func (b *backoff) failed() int { b.attempts++; return b.attempts }

// over ends a row of failures and says how many there were.
func (b *backoff) over() int {
	n := b.attempts
	b.attempts = 0
	return n
}

// wait waits; false where ctx ended.
func (b *backoff) wait(ctx context.Context) bool {
	d := min(100*time.Millisecond<<min(b.attempts, 5), 2*time.Second)
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d/2)):
		return true
	}
}
