package main

import "breakwater/internal/client"

// serverFlags name the server that a command talks to.
type serverFlags struct {
	Server string `env:"BREAKWATER_SERVER" default:"http://127.0.0.1:8000" help:"The server to talk to."`
	Token  string `env:"BREAKWATER_TOKEN" placeholder:"TOKEN" help:"The server's API_TOKEN, where it has one; better in the environment, as others see command lines."`
}

// client is a client of that server.
func (f *serverFlags) client() (*client.Client, error) {
	c, err := client.New(f.Server, f.Token)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}
