package seeding

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Row is what MTS said of one record.
type Row struct {
	Member
	MAC    RowMAC
	Print  Print
	Status RowStatus
	Token  string // of a processed row
	Code   string // of any other; several, joined by commas, when MOSIP gave several
}

// RowStatus is MTS's word for a record (facts/mts.md 4.2).
type RowStatus byte

const (
	RowProcessed RowStatus = 'p'
	RowError     RowStatus = 'e'
	RowInvalid   RowStatus = 'i'
)

// AnswerPart is a piece of what one callback carried: a few thousand rows that
// can be read without the other pieces.
type AnswerPart struct {
	Ref      BatchRef
	Content  string // hash of all rows of the callback: a repeat has the same
	Part, Of int    // from 1
	Received time.Time
	Expires  time.Time
	Packed   []byte // rows, by PackRows
}

// ID names the part within its batch.
func (a AnswerPart) ID() string { return fmt.Sprintf("%s.%d.%d", a.Content, a.Part, a.Of) }

const (
	maxToken = 100 // Odoo cuts longer identifier values off in silence (facts/odoo.md A2)
	maxCode  = 120
	// rowsPerPart keeps the largest possible part below DynamoDB's 400 KB.
	rowsPerPart = 1500
)

// PackRows writes rows column by column and deflates them: about 31 bytes a row
// with a token of 36 digits. MACs and fingerprints do not compress; ids are
// written as differences.
func PackRows(rows []Row) []byte {
	members := make([]Member, len(rows))
	for i, r := range rows {
		members[i] = r.Member
	}
	plain := appendMembers(nil, members)
	for _, r := range rows {
		plain = append(plain, r.MAC[:]...)
	}
	for _, r := range rows {
		plain = append(plain, r.Print[:]...)
	}
	for _, r := range rows {
		plain = append(plain, byte(r.Status))
	}
	for _, r := range rows {
		plain = append(append(plain, r.Token...), 0)
	}
	for _, r := range rows {
		plain = append(append(plain, r.Code...), 0)
	}
	return deflate(plain)
}

// UnpackRows is the inverse of PackRows.
func UnpackRows(packed []byte) ([]Row, error) {
	in, members, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(members))
	for i := range rows {
		rows[i].Member = members[i]
	}
	for i := range rows {
		if copy(rows[i].MAC[:], in.Next(len(rows[i].MAC))) < len(rows[i].MAC) {
			return nil, errPacked
		}
	}
	for i := range rows {
		if copy(rows[i].Print[:], in.Next(len(rows[i].Print))) < len(rows[i].Print) {
			return nil, errPacked
		}
	}
	for i := range rows {
		b, err := in.ReadByte()
		if err != nil {
			return nil, errPacked
		}
		rows[i].Status = RowStatus(b)
	}
	for i := range rows {
		if rows[i].Token, err = readText(in); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		if rows[i].Code, err = readText(in); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// PackMembers and UnpackMembers keep the members of an open batch: two or three
// bytes each, less when ids follow one another.
func PackMembers(members []Member) []byte {
	return deflate(appendMembers(nil, members))
}

// UnpackMembers is the inverse of PackMembers.
func UnpackMembers(packed []byte) ([]Member, error) {
	_, members, err := unpack(packed)
	return members, err
}

// unpack reads the members, with which everything packed begins, and returns
// what stands behind them.
func unpack(packed []byte) (rest *bytes.Buffer, members []Member, err error) {
	plain, err := inflate(packed)
	if err != nil {
		return nil, nil, err
	}
	rest = bytes.NewBuffer(plain)
	n, err := readCount(rest)
	if err != nil {
		return nil, nil, err
	}
	members, err = readMembers(rest, n)
	return rest, members, err
}

var errPacked = errors.New("packed rows are damaged")

// maxUnpacked bounds what a damaged or hostile item can make us allocate.
const maxUnpacked = 16 << 20

func appendMembers(plain []byte, members []Member) []byte {
	plain = binary.AppendUvarint(plain, uint64(len(members)))
	var last Member
	for _, m := range members {
		plain = binary.AppendVarint(plain, m.Registrant-last.Registrant)
		last.Registrant = m.Registrant
	}
	for _, m := range members {
		plain = binary.AppendVarint(plain, m.Identifier-last.Identifier)
		last.Identifier = m.Identifier
	}
	return plain
}

func readCount(in *bytes.Buffer) (int, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil || n > maxUnpacked || int(n) > in.Len() { // every member needs two bytes at least
		return 0, errPacked
	}
	return int(n), nil
}

func readMembers(in *bytes.Buffer, n int) ([]Member, error) {
	members := make([]Member, n)
	var last Member
	for i := range members {
		d, err := binary.ReadVarint(in)
		if err != nil {
			return nil, errPacked
		}
		last.Registrant += d
		members[i].Registrant = last.Registrant
	}
	for i := range members {
		d, err := binary.ReadVarint(in)
		if err != nil {
			return nil, errPacked
		}
		last.Identifier += d
		members[i].Identifier = last.Identifier
	}
	return members, nil
}

func readText(in *bytes.Buffer) (string, error) {
	b, err := in.ReadBytes(0)
	if err != nil {
		return "", errPacked
	}
	return string(b[:len(b)-1]), nil
}

func deflate(plain []byte) []byte {
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, flate.BestCompression) // the level is valid, and a buffer takes every write
	_, _ = w.Write(plain)
	_ = w.Close()
	return out.Bytes()
}

func inflate(packed []byte) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxUnpacked+1))
	if err != nil || len(plain) > maxUnpacked {
		return nil, errPacked
	}
	return plain, nil
}
