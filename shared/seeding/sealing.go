package seeding

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
)

// ErrSealed: an answer cannot be opened with the key that is given.
var ErrSealed = errors.New("the answer cannot be opened")

// SealAnswer encrypts the answer of an inquiry, so that only who has the key can
// read it, and only as the answer of this inquiry: AES-256-GCM with a fresh nonce,
// under a key made of k for this inquiry alone.
func SealAnswer(k Key, inquiry string, answer []byte) ([]byte, error) {
	aead, err := answerCipher(k, inquiry)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize(), aead.NonceSize()+len(answer)+aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, answer, []byte(inquiry)), nil
}

// OpenAnswer returns what was sealed, or ErrSealed.
func OpenAnswer(k Key, inquiry string, sealed []byte) ([]byte, error) {
	aead, err := answerCipher(k, inquiry)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, ErrSealed
	}
	answer, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(inquiry))
	if err != nil {
		return nil, ErrSealed
	}
	return answer, nil
}

func answerCipher(k Key, inquiry string) (cipher.AEAD, error) {
	secret, err := hkdf.Key(sha256.New, k.Secret, nil, "preview "+inquiry, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
