// western is a number with the digits of a language, as machines have them. Marks that
// cannot be seen, which come along when text is copied, are left out.
export function western(text: string): string {
  return text.replace(/\p{Cf}/gu, "").trim().replace(/[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f]/g, (digit) => {
    const code = digit.charCodeAt(0);
    return String(code - (code < 0x6f0 ? 0x660 : code < 0x966 ? 0x6f0 : 0x966));
  });
}
