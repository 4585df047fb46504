package realodoo

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// AddKey gives a user an API key and returns it, or one that has expired.
// Odoo 14's keys do not expire: there the key is "".
func (s *Server) AddKey(ctx context.Context, login string, expired bool) (string, error) {
	if expired && s.Line == "14" {
		return "", nil
	}
	random := make([]byte, 36)
	_, _ = rand.Read(random)
	key := hex.EncodeToString(random[:20])
	hash, err := keyHash(key, random[20:])
	if err != nil {
		return "", err
	}
	column, value := "", ""
	if expired {
		column, value = ", expiration_date", ", now() - interval '1 day'"
	}
	_, err = s.SQL(ctx, fmt.Sprintf("INSERT INTO res_users_apikeys (name, user_id, scope, index, key%s) SELECT 'test', id, 'rpc', '%s', '%s'%s FROM res_users WHERE login = '%s'",
		column, key[:8], hash, value, login))
	return key, err
}

// keyHash is the form in which Odoo keeps a key (passlib's pbkdf2_sha512, 6,000
// rounds).
func keyHash(key string, salt []byte) (string, error) {
	const rounds = 6000
	sum, err := pbkdf2.Key(sha512.New, key, salt, rounds, sha512.Size)
	if err != nil {
		return "", err
	}
	text := func(b []byte) string {
		return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(b), "+", ".")
	}
	return fmt.Sprintf("$pbkdf2-sha512$%d$%s$%s", rounds, text(salt), text(sum)), nil
}

// SetSecondFactor gives a user two-factor authentication, or takes it away.
func (s *Server) SetSecondFactor(ctx context.Context, login string, on bool) error {
	secret := "NULL"
	if on {
		secret = "'JBSWY3DPEHPK3PXP'"
	}
	_, err := s.SQL(ctx, fmt.Sprintf("UPDATE res_users SET totp_secret = %s WHERE login = '%s'", secret, login))
	return err
}
