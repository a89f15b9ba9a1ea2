// Command breakwater is the whole program: server, replay, tools. Each command is a file here; what it runs is in internal/.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"breakwater"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"

// Exit codes, the same for every command. docs/commands.md lists them.
const (
	exitOK          = 0
	exitFailure     = 1 // our fault, or an engine's
	exitUsage       = 2 // the command line or a setting is wrong
	exitInput       = 3 // what was given to read is wrong or is not there
	exitUnavailable = 4 // a server, database, port or interface cannot be had
	exitInterrupted = 130
)

// CLI is the command line.
type CLI struct {
	Serve    ServeCmd    `cmd:"" help:"Run the server: API, WebSocket, web app and the way of the data."`
	Sensor   SensorCmd   `cmd:"" help:"Tap traffic at a facility and send what is found to a server."`
	Replay   ReplayCmd   `cmd:"" help:"Feed captures to a running server, or analyse them here with --out -."`
	Decode   DecodeCmd   `cmd:"" help:"Print what a capture says, event by event."`
	Demo     DemoCmd     `cmd:"" help:"Play a demo scenario on a running server and follow it."`
	Plant    PlantCmd    `cmd:"" help:"The simulated plant."`
	Rules    RulesCmd    `cmd:"" help:"The detection rules."`
	Baseline BaselineCmd `cmd:"" help:"What a facility has learned as normal."`
	Train    TrainCmd    `cmd:"" help:"Train models on a facility's own traffic."`
	Eval     EvalCmd     `cmd:"" help:"Score the detectors on labelled data."`
	FL       FLCmd       `cmd:"" name:"fl" help:"Federated learning."`
	Attack   AttackCmd   `cmd:"" help:"ATT&CK for ICS, and prediction from it."`
	Seed     SeedCmd     `cmd:"" help:"Put sample data into the database: two weeks at three simulated plants."`
	Migrate  MigrateCmd  `cmd:"" help:"Bring the database's schema up or down, or show where it stands."`
	Version  VersionCmd  `cmd:"" help:"Print the version."`
}

// streams is where a command reads and writes; tests give their own.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// exit carries kong's wish to end (after --help) up to run.
type exit int

// run is the program without the process: it parses, runs the command and says which code to end with.
func run(ctx context.Context, args []string, std streams) (code int) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(exit)
			if !ok {
				panic(r)
			}
			code = int(e)
		}
	}()
	if err := loadDotEnv(".env"); err != nil {
		return complain(std.err, err)
	}
	cli := &CLI{}
	parser, err := kong.New(cli,
		kong.Name("breakwater"),
		kong.Description("Threat detection for industrial control systems.\n\nSettings come from flags, then the environment, then a file .env, then the defaults."),
		kong.Writers(std.out, std.err),
		kong.Exit(func(c int) { panic(exit(c)) }),
		kong.UsageOnError(), kong.ShortUsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		return complain(std.err, err)
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(std.err, "breakwater: %v\nTry `breakwater --help`, or `breakwater COMMAND --help`.\n", err)
		return exitUsage
	}
	return complain(std.err, command.Run())
}

// loadDotEnv takes settings from a file for variables that the environment does not set.
func loadDotEnv(path string) error {
	values, err := godotenv.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage(".env cannot be read: %v; each line is NAME=value", err)
	}
	for name, value := range values {
		if _, set := os.LookupEnv(name); !set {
			if err := os.Setenv(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// usageError is a mistake in how the program was called, against one in what it was given to read.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// settings turns an error about a setting (its Field names a variable in capitals) into a usage error.
func settings(err error) error {
	if e, ok := errors.AsType[*breakwater.Error](err); ok && e.Kind == breakwater.Invalid && e.Field != "" && e.Field == strings.ToUpper(e.Field) {
		return usageError{err}
	}
	return err
}

// complain prints an error as one line and chooses the exit code by its kind.
func complain(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(w, "breakwater: interrupted")
		return exitInterrupted
	}
	if errors.Is(err, syscall.EPIPE) { // `breakwater decode … | head`
		return exitOK
	}
	message := err.Error()
	if e, ok := errors.AsType[*breakwater.Error](err); ok && e.Kind != breakwater.Internal {
		message = e.Message // the cause would only say it again in an engine's words
	}
	fmt.Fprintln(w, "breakwater: "+strings.ReplaceAll(message, "\n", " "))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	switch breakwater.KindOf(err) {
	case breakwater.Invalid, breakwater.NotFound, breakwater.TooLarge, breakwater.Conflict:
		return exitInput
	case breakwater.Unavailable:
		return exitUnavailable
	}
	return exitFailure
}

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints it, with the Go release it was built by.
func (VersionCmd) Run(std streams) error {
	goVersion := "go"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
	}
	_, err := fmt.Fprintf(std.out, "breakwater %s (%s)\n", version, goVersion)
	return err
}
