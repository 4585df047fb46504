package mts_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"openg2p.org/mts-connector/shared/seeding"
)

// What a connector shows names the cause, from the wire to the text.
func TestCauseOfAFailedRequestIsShown(t *testing.T) {
	page := func(status int) string {
		return server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "<html>secret text of a server")
		}).URL
	}
	selfSigned := httptest.NewTLSServer(http.NotFoundHandler())
	selfSigned.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(selfSigned.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	release := make(chan struct{})
	silent := server(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	slow := server(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"response":`)
		_ = http.NewResponseController(w).Flush()
		<-release
	})
	cut := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "500")
		_, _ = io.WriteString(w, `{"response":`)
	})
	cut.Config.ErrorLog = log.New(io.Discard, "", 0)
	nowhere := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "://secret")
		w.WriteHeader(http.StatusFound)
	})
	for name, c := range map[string]struct{ url, text, remedy string }{
		"slow reply":              {slow.URL, "does not answer in time", "firewalls"},
		"reply that is cut off":   {cut.URL, "or within one", "logs"},
		"redirect to no address":  {nowhere.URL, "sends us to another address (HTTP-302)", "as mts_url"},
		"self-signed certificate": {selfSigned.URL, "certificate of MTS is of an authority that is not trusted", "CertificateAuthorities"},
		"refused port":            {gone.URL, "nothing takes connections at the port of mts_url", "the port in mts_url"},
		"blocked range":           {"http://10.0.0.1", "does not allow the address", "AllowedRanges"},
		"metadata":                {"http://169.254.169.254", "does not allow the address", "AllowedRanges"},
		"plain server":            {strings.Replace(gone.URL, "http", "https", 1), "nothing takes connections", "mts_url"},
		"no reply":                {silent.URL, "does not answer in time", "firewalls"},
		"503":                     {page(503), "proxy answers instead of MTS (HTTP-503)", "up"},
		"200 with HTML":           {page(200), "What answers at mts_url is not MTS", "login page"},
		"301":                     {page(301), "sends us to another address (HTTP-301)", "as mts_url"},
		"401":                     {page(401), "asks for a user and a password", "without a password"},
		"404":                     {page(404), "no MTS at the path", "context path"},
		"413":                     {page(413), "no request of this size", "batch_maximum"},
		"no address":              {"https://mt\u0455.example.org", "programs read in different ways", "form"},
	} {
		t.Run(name, func(t *testing.T) {
			limit := time.Minute
			if c.url == silent.URL || c.url == slow.URL {
				limit = 500 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			sent := submission
			sent.MTSURL = c.url
			_, err := client().Submit(ctx, sent)
			fault := seeding.FaultOf(err)
			d := seeding.MTSProblem(fault)
			if fault.Kind == seeding.Unknown {
				d = seeding.ReplyProblem(fault, false)
			}
			if !strings.Contains(d.Text, c.text) || !strings.Contains(d.Remedy, c.remedy) || strings.Contains(d.Text+d.Remedy, "secret") {
				t.Errorf("%s: %q %q", fault, d.Text, d.Remedy)
			}
		})
	}
}

// What stands before MTS is not taken for an MTS of another version, nor for a
// reply of MTS that makes no sense.
func TestReplyOfAProxyIsNotBlamedOnMTS(t *testing.T) {
	for status, want := range map[int]string{
		204: "in place of MTS (HTTP-204)", 402: "in place of MTS (HTTP-402)", 405: "web site", 407: "password of its own", 408: "did not wait",
		410: "in place of MTS (HTTP-410)", 429: "fewer requests", 431: "in place of MTS", 451: "in place of MTS", 501: "in place of MTS",
		520: "in place of MTS (HTTP-520)", 530: "in place of MTS", 200: "not MTS",
	} {
		sent := submission
		sent.MTSURL = server(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			if status != http.StatusNoContent {
				_, _ = io.WriteString(w, `{"status":"UP"}`)
			}
		}).URL
		_, err := client().Submit(t.Context(), sent)
		fault := seeding.FaultOf(err)
		d := seeding.MTSProblem(fault)
		if fault.Kind == seeding.Unknown {
			d = seeding.ReplyProblem(fault, false)
		}
		if !strings.Contains(d.Text, want) || strings.Contains(d.Text+d.Remedy, "version") || strings.Contains(d.Text, "makes no sense") {
			t.Errorf("%d is %s: %q %q", status, fault, d.Text, d.Remedy)
		}
	}
}
