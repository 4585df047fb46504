package mts_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"openg2p.org/mts-connector/infra/simulators/mtssim"
	"openg2p.org/mts-connector/shared/seeding"
)

// What MTS gets for a direct callback: the one way to sign in that is used, the record
// with its fields, MTS's fields beside it.
func TestEnvelopeOfADirectCallback(t *testing.T) {
	for name, c := range map[string]struct {
		auth     seeding.DirectAuth
		secrets  seeding.CallbackSecrets
		inBulk   bool
		format   string
		callback string
	}{
		"odoo": {
			seeding.DirectAuth{Type: seeding.AuthOdoo, URL: "https://r.example.org/web/session/authenticate", Database: "g2p", Username: "u"},
			seeding.CallbackSecrets{Password: "p"}, false, ".output",
			`"callInBulk":false,"authType":"odoo","authOdoo":{"authUrl":"https://r.example.org/web/session/authenticate","database":"g2p","username":"u","password":"p"}`,
		},
		"oauth": {
			seeding.DirectAuth{Type: seeding.AuthOAuth, URL: "https://r.example.org/token", ClientID: "c"}, seeding.CallbackSecrets{ClientSecret: "s"}, true, "",
			`"callInBulk":true,"authType":"oauth","authOauth":{"authUrl":"https://r.example.org/token","username":"","password":"","clientId":"c","clientSecret":"s"}`,
		},
		"bearer": {seeding.DirectAuth{Type: seeding.AuthStaticBearer}, seeding.CallbackSecrets{Token: "t"}, false, "",
			`"callInBulk":false,"authType":"staticBearer","authStaticBearer":{"token":"t"}`},
		"none": {seeding.DirectAuth{Type: seeding.AuthNone}, seeding.CallbackSecrets{Headers: map[string]string{"Authorization": "Basic x"}}, false, "",
			`"callInBulk":false,"authType":"none"`},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			s := server(t, func(w http.ResponseWriter, r *http.Request) {
				got, _ = io.ReadAll(r.Body)
				_, _ = io.WriteString(w, `{"response":{"request_identifier":"00c0"}}`)
			})
			sent := directSubmission(c.auth, c.secrets, "https://r.example.org/api?a=b", c.inBulk, c.format)
			sent.MTSURL = s.URL
			if _, err := client().Submit(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			headers, format := "", ""
			if len(c.secrets.Headers) > 0 {
				headers = `"extraHeaders":{"Authorization":"Basic x"},`
			}
			if c.format != "" {
				format = `"outputFormat":"` + c.format + `",`
			}
			want := `{"id":"mosip.token.seeder","version":"1.0","metadata":"","requesttime":"2026-01-05T09:30:00.123Z","request":{
				"output":"json","deliverytype":"callback",
				"mapping":{"vid":"mts_vid","name":["mts_name"],"gender":"mts_gender","dob":"dob","phoneNumber":"phoneNumber","emailId":"emailId","fullAddress":["fullAddress"]},
				"lang":"eng",` + format + `"callbackProperties":{"url":"https://r.example.org/api?a=b","httpMethod":"PATCH",` + headers + `"timeoutSeconds":20,` + c.callback + `},
				"authdata":[{"birthdate":"1990/11/02","dob":"1990/11/02","fullAddress":"1 Rizal St","gender":"Female","id":17,"income":12.5,
					"mts_gender":"female","mts_name":"Ana Cruz","mts_vid":"2000000001000100","name":"CRUZ, ANA","vid":" 2000000001000100"}]}}`
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte(want)); err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(got)) != compact.String() {
				t.Errorf("sent\n%s\nnot\n%s", got, compact.String())
			}
		})
	}
}

func directSubmission(auth seeding.DirectAuth, secrets seeding.CallbackSecrets, url string, inBulk bool, format string) seeding.Request {
	return seeding.Request{
		Language: "eng", TimeoutSeconds: 20, OutputFormat: format,
		Direct: &seeding.DirectCallback{
			Delivery: seeding.DirectDelivery{URL: url, Method: "PATCH", InBulk: inBulk, Auth: auth},
			Secrets:  secrets, Names: seeding.DirectNames([]string{"id", "name", "gender", "birthdate", "income"}),
		},
		Records: []seeding.RequestRecord{{
			VID: "2000000001000100", Name: "Ana Cruz", Gender: "female", DOB: "1990/11/02", FullAddress: "1 Rizal St",
			Fields: seeding.SentDirectly(seeding.Record{"id": 17, "name": "CRUZ, ANA", "gender": "Female", "birthdate": "1990-11-02", "income": 12.5}, map[string]seeding.FieldKind{"birthdate": {Type: "date"}}, " 2000000001000100"),
		}},
	}
}

// MTS takes it, maps what we mapped, and gives users' Output Formats what Odoo's
// connector gives them. It takes each way to sign in, because only that is sent
// (facts/mts.md D28: there was one way to sign in, and no header).
func TestD28MTSTakesEachWayToSignIn(t *testing.T) {
	const accessToken = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln" // its end is in the year 2100
	type seen struct{ method, body, authorization, cookie string }
	calls := make(chan seen, 10)
	receiver := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasPrefix(r.URL.Path, "/web"):
			http.SetCookie(w, &http.Cookie{Name: "session_id", Value: "s"})
			return
		case strings.HasPrefix(r.URL.Path, "/token"):
			_, _ = io.WriteString(w, `{"access_token":"`+accessToken+`"}`)
			return
		}
		calls <- seen{r.Method, string(body), r.Header.Get("Authorization"), r.Header.Get("Cookie")}
	})
	for name, c := range map[string]struct {
		auth    seeding.DirectAuth
		secrets seeding.CallbackSecrets
		inBulk  bool
		want    seen
	}{
		"odoo": {seeding.DirectAuth{Type: seeding.AuthOdoo, URL: receiver.URL + "/web/session/authenticate", Database: "g2p", Username: "u"},
			seeding.CallbackSecrets{Password: "p"}, false, seen{cookie: "session_id=s"}},
		"oauth":   {seeding.DirectAuth{Type: seeding.AuthOAuth, URL: receiver.URL + "/token", ClientID: "c"}, seeding.CallbackSecrets{ClientSecret: "s"}, false, seen{authorization: "Bearer " + accessToken}},
		"bearer":  {seeding.DirectAuth{Type: seeding.AuthStaticBearer}, seeding.CallbackSecrets{Token: "t"}, false, seen{authorization: "Bearer t"}},
		"none":    {seeding.DirectAuth{Type: seeding.AuthNone}, seeding.CallbackSecrets{Headers: map[string]string{"Authorization": "Basic x"}}, false, seen{authorization: "Basic x"}},
		"in bulk": {seeding.DirectAuth{Type: seeding.AuthStaticBearer}, seeding.CallbackSecrets{Token: "t"}, true, seen{authorization: "Bearer t"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, url, _, _ := simulator(t)
			sent := directSubmission(c.auth, c.secrets, receiver.URL+"/in", c.inBulk, "[.input.id, .input.name, .input.gender, .input.birthdate, .input.vid, .output.vid, .output.token]")
			sent.MTSURL = url
			if _, err := client().Submit(t.Context(), sent); err != nil {
				t.Fatal(err)
			}
			c.want.method = "PATCH"
			c.want.body = `[17, "CRUZ, ANA", "Female", "1990/11/02", " 2000000001000100", "2000000001000100", "` + mtssim.Token("2000000001000100") + `"]`
			if c.inBulk {
				c.want.body = "[" + c.want.body + "]"
			}
			if got := <-calls; got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
