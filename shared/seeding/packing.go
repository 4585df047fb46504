package seeding

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"sync"
)

// packedForm2 is the first byte of the newest form; the rest is deflated. The
// form before had no such byte. It began with the header of a deflate block,
// whose second and third bit are never both set (RFC 1951, 3.2.3); in this byte
// they are. A new form gets a byte of its own, and the form before it stays
// readable (infra/decisions.md, "How a stored form changes").
const packedForm2 = 0b0000_1110

// What damaged or hostile data can make a function allocate is bounded: a part of
// an answer has 1,500 rows of a few hundred bytes at most, a batch 1,000 members.
const (
	maxUnpacked = 1 << 20 // bytes
	maxMembers  = 10_000
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
	// The column of submissions is there only if a row has one.
	if slices.ContainsFunc(rows, func(r Row) bool { return r.Submission != "" }) {
		plain = append(plain, 1)
		for _, r := range rows {
			plain = appendText(plain, r.Submission)
		}
	} else {
		plain = append(plain, 0)
	}
	for _, r := range rows {
		plain = append(plain, r.MAC[:]...)
	}
	for _, r := range rows {
		plain = append(plain, r.Fingerprint[:]...)
	}
	for _, r := range rows {
		plain = append(plain, byte(r.Status))
	}
	for _, r := range rows {
		plain = appendText(plain, r.Token)
	}
	for _, r := range rows {
		plain = appendText(plain, r.Code)
	}
	return deflate(plain)
}

// UnpackRows is the inverse of PackRows. It also reads the form before.
func UnpackRows(packed []byte) ([]Row, error) {
	form, in, members, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(members))
	for i := range rows {
		rows[i].Member = members[i]
	}
	if form == packedForm2 {
		if err := readSubmissions(in, rows); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		if copy(rows[i].MAC[:], in.Next(len(rows[i].MAC))) < len(rows[i].MAC) {
			return nil, ErrDamaged
		}
	}
	for i := range rows {
		if copy(rows[i].Fingerprint[:], in.Next(len(rows[i].Fingerprint))) < len(rows[i].Fingerprint) {
			return nil, ErrDamaged
		}
	}
	for i := range rows {
		b, err := in.ReadByte()
		if err != nil {
			return nil, ErrDamaged
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
	if in.Len() > 0 { // the texts are not those of these rows
		return nil, ErrDamaged
	}
	return rows, nil
}

func readSubmissions(in *bytes.Buffer, rows []Row) error {
	column, err := in.ReadByte()
	if err != nil || column > 1 {
		return ErrDamaged
	}
	if column == 0 {
		return nil
	}
	for i := range rows {
		if rows[i].Submission, err = readText(in); err != nil {
			return err
		}
	}
	return nil
}

// PackMembers packs the members of an open batch: two or three bytes each, less
// if ids follow one another.
func PackMembers(members []Member) []byte {
	return deflate(appendMembers(nil, members))
}

// UnpackMembers is the inverse of PackMembers. It also reads the form before.
func UnpackMembers(packed []byte) ([]Member, error) {
	_, rest, members, err := unpack(packed)
	if err == nil && rest.Len() > 0 {
		return nil, ErrDamaged
	}
	return members, err
}

// PackFingerprints packs the fingerprints of a batch. They do not compress.
func PackFingerprints(list []Fingerprint) []byte {
	var packed []byte
	for _, f := range list {
		packed = append(packed, f[:]...)
	}
	return packed
}

// UnpackFingerprints is the inverse of PackFingerprints.
func UnpackFingerprints(packed []byte) (list []Fingerprint, err error) {
	if len(packed)%len(Fingerprint{}) != 0 || len(packed) > maxMembers*len(Fingerprint{}) {
		return nil, ErrDamaged
	}
	for some := range slices.Chunk(packed, len(Fingerprint{})) {
		list = append(list, Fingerprint(some))
	}
	return list, nil
}

// PackTexts packs the ids of submissions.
func PackTexts(texts []string) []byte {
	if len(texts) == 0 {
		return nil
	}
	var plain []byte
	for _, text := range texts {
		plain = appendText(plain, text)
	}
	return deflate(plain)
}

// UnpackTexts is the inverse of PackTexts.
func UnpackTexts(packed []byte) (texts []string, err error) {
	if len(packed) == 0 {
		return nil, nil
	}
	if packed[0] != packedForm2 {
		return nil, ErrDamaged
	}
	plain, err := inflate(packed[1:])
	if err != nil {
		return nil, err
	}
	for in := bytes.NewBuffer(plain); in.Len() > 0; {
		text, err := readText(in)
		if err != nil || len(texts) == maxMembers {
			return nil, ErrDamaged
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// unpack reads the form and the members, with which all packed data begin, and
// returns the rest.
func unpack(packed []byte) (form byte, rest *bytes.Buffer, members []Member, err error) {
	if len(packed) > 0 && packed[0] == packedForm2 {
		form, packed = packedForm2, packed[1:]
	}
	plain, err := inflate(packed)
	if err != nil {
		return form, nil, nil, err
	}
	rest = bytes.NewBuffer(plain)
	n, err := readCount(rest)
	if err != nil {
		return form, nil, nil, err
	}
	members, err = readMembers(rest, n)
	return form, rest, members, err
}

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
	if err != nil || n > maxMembers || 2*int(n) > in.Len() { // every member needs two bytes at least
		return 0, ErrDamaged
	}
	return int(n), nil
}

func readMembers(in *bytes.Buffer, n int) ([]Member, error) {
	members := make([]Member, n)
	var last Member
	for i := range members {
		d, err := binary.ReadVarint(in)
		if err != nil {
			return nil, ErrDamaged
		}
		last.Registrant += d
		members[i].Registrant = last.Registrant
	}
	for i := range members {
		d, err := binary.ReadVarint(in)
		if err != nil {
			return nil, ErrDamaged
		}
		last.Identifier += d
		members[i].Identifier = last.Identifier
	}
	return members, nil
}

// appendText ends a text with a zero byte. One within it would end it early and
// give its rest to the next row, so it becomes a character that no token and no code
// has.
func appendText(plain []byte, text string) []byte {
	return append(append(plain, strings.ReplaceAll(text, "\x00", "\uFFFD")...), 0)
}

func readText(in *bytes.Buffer) (string, error) {
	b, err := in.ReadBytes(0)
	if err != nil {
		return "", ErrDamaged
	}
	return string(b[:len(b)-1]), nil
}

// Compressors are used again, because a new one takes most of a megabyte.
var (
	deflaters = sync.Pool{New: func() any {
		w, _ := flate.NewWriter(nil, flate.BestCompression) // the level is valid
		return w
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
)

// deflate packs in the newest form.
func deflate(plain []byte) []byte {
	out := bytes.NewBuffer([]byte{packedForm2})
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(out)
	_, _ = w.Write(plain) // a buffer takes every write
	_ = w.Close()
	return out.Bytes()
}

func inflate(packed []byte) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	_ = r.(flate.Resetter).Reset(bytes.NewReader(packed), nil) // which never fails
	plain, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil || len(plain) > maxUnpacked {
		return nil, ErrDamaged
	}
	return plain, nil
}
