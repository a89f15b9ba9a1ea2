package api

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"breakwater"
	"breakwater/internal/live"
)

// guard stands before every route: it logs, catches panics, asks for the token where there is one, and keeps away what a
// hostile page could do through the browser of somebody who may reach this server.
func (s *server) guard(next *http.ServeMux) (http.Handler, error) {
	foreign := http.NewCrossOriginProtection() // a page of another origin may not change anything
	for _, origin := range s.AllowedOrigins {
		if err := foreign.AddTrustedOrigin(origin); err != nil {
			return nil, &breakwater.Error{Kind: breakwater.Invalid, Field: "CORS_ORIGINS", Message: "origin " + clip(origin) + " is not one: write it as http://localhost:3000"}
		}
	}
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, http.StatusForbidden, "a page of "+clip(r.Header.Get("Origin"))+" may not use this server: add it to CORS_ORIGINS")
	}))
	inner := foreign.Handler(next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &recorder{ResponseWriter: rw}
		began := time.Now()
		defer func() {
			s.caught(w, r, recover())
			s.Logger.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Int("status", w.status), slog.Int64("bytes", w.bytes), slog.Duration("took", time.Since(began)))
		}()
		setHeaders(w.Header())
		if !s.ours(r) {
			writeProblem(w, http.StatusMisdirectedRequest, "this server is not "+clip(r.Host)+": ask for its address, or for a name that CORS_ORIGINS names")
			return
		}
		if s.crossOrigin(w, r) {
			return
		}
		if s.Authorize != nil && !free(next, r) && !s.Authorize(live.Bearer(r)) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeProblem(w, http.StatusUnauthorized, "this server wants its token with each request: send it in the header Authorization, as \"Bearer TOKEN\" (commands: --token or BREAKWATER_TOKEN)")
			return
		}
		inner.ServeHTTP(w, r)
	}), nil
}

// free reports whether a request needs no token: whether the server lives and is ready, the web app's files, which hold no
// data, and a WebSocket that shows it later, in connect, which live.Hub asks for.
func free(mux *http.ServeMux, r *http.Request) bool {
	if r.URL.Path == "/ws" {
		return live.Bearer(r) == ""
	}
	_, pattern := mux.Handler(r)
	return tokenFree(r.URL.Path) || pattern == "/" && !ofAPI(r.URL.Path)
}

// tokenFree are the routes that never want a token.
func tokenFree(path string) bool { return path == "/livez" || path == "/readyz" }

// setHeaders sets what holds for every answer; the docs and the web app's pages set a policy of their own.
func setHeaders(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Add("Vary", "Origin")
}

// ours reports whether a request's Host is this server. A page of a hostile name that resolves to an address of this
// machine (DNS rebinding) would be of the same origin as this server but for the name.
func (s *server) ours(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if addr, err := netip.ParseAddr(host); err == nil {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		return addr.IsLoopback() || local != nil && local.AddrPort().Addr().Unmap() == addr.Unmap() || slices.Contains(s.Hosts, host)
	}
	return host == "localhost" || slices.ContainsFunc(s.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// crossOrigin answers a browser's question whether a page may call (the preflight of CORS), and lets allowed origins
// read answers. It reports whether the request is answered.
func (s *server) crossOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	allowed := origin != "" && slices.Contains(s.AllowedOrigins, origin)
	if allowed {
		w.Header().Set("Access-Control-Allow-Origin", origin)
	}
	if r.Method != http.MethodOptions || origin == "" {
		return false
	}
	if !allowed {
		writeProblem(w, http.StatusForbidden, "a page of "+clip(origin)+" may not use this server: add it to CORS_ORIGINS")
		return true
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-Match, Last-Event-ID")
	w.Header().Set("Access-Control-Max-Age", "600") // seconds
	w.WriteHeader(http.StatusNoContent)
	return true
}

// caught answers for a handler that panicked, and says where in the log.
func (s *server) caught(w *recorder, r *http.Request, panicked any) {
	if panicked == nil {
		return
	}
	if panicked == http.ErrAbortHandler { // meant to end the connection
		panic(panicked)
	}
	if err, ok := panicked.(error); ok && r.Context().Err() != nil {
		s.Logger.Debug("an answer was not written: the client has gone", "path", r.URL.Path, "err", err)
		return
	}
	s.Logger.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", panicked, "stack", string(debug.Stack()))
	if w.status == 0 {
		writeProblem(w, http.StatusInternalServerError, internalDetail)
	}
}

// recorder remembers what was answered. It passes on what the live handlers need of a connection: Hijack by itself,
// all else through Unwrap.
type recorder struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
