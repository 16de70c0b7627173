"""Classes and functions of C++ sources, found without a compiler, for the ratchets of tidy.py.

A class has lines over all its files: its body in the header, and every source that defines its
members. A source that defines members of several classes belongs to the one with most of them; of
the others it has the lines of their functions.
"""

import re


class Class:
    def __init__(self, name, file, line):
        self.name, self.file, self.line = name, file, line
        self.lines = 0  # of the body, the head included
        self.members = []  # names of data members, those of nested types excepted
        self.declared = []  # (name, line, statement): functions without a body in here

    def own_name(self):
        return self.name.split("::")[-1]


def blank_comments_and_strings(text):
    """Comments, strings, characters and directives become spaces; lines stay where they are."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
        r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
    directive = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())

    return directive.sub(blank, pattern.sub(blank, text))


def brace_kind(statement):
    """What a brace opens behind `statement`, outside of functions: a scope, a function, a value."""
    statement = re.sub(r"^template\s*<[^{]*?>\s*(?=(class|struct|union|enum)\b)", "",
                       statement.strip())
    if not statement or re.match(r"(inline\s+)?namespace\b|extern\s+\S*\s*$|enum\b", statement):
        return "scope"
    is_type = re.match(r"(class|struct|union)\b", statement)
    if is_type and not re.search(r"\)\s*(const|noexcept)?$", statement):
        return "scope"
    if re.search(r"[\w>)\]]\s*=$", statement):
        return "value"
    if re.search(r"(,|(?<!:):)\s*\w+(<[^>]*>)?$", statement) and ")" in statement:
        return "value"  # a member initializer with braces: `: a_{1}, b_{2} {`
    return "function" if "(" in without_attributes(statement) else "value"


def without_attributes(statement):
    """Without what has parentheses and declares no function."""
    statement = re.sub(r"\b(PT_)?GUARDED_BY\s*\([^()]*(\([^()]*\)[^()]*)*\)|"
                       r"\balignas\s*\([^()]*(\([^()]*\)[^()]*)*\)|"
                       r"\b(NO_UNIQUE_ADDRESS|CAPABILITY\s*\([^()]*\)|SCOPED_CAPABILITY)|"
                       r"\[\[[^\]]*\]\]", " ", statement)
    while True:
        inner = re.sub(r"(?<=\w)\s*<[^<>]*>", "", statement)
        if inner == statement:
            return statement.strip()
        statement = inner


def function_blocks(text):
    """Yields (first line, last line), counted from 1, of every outermost function.

    Needs no compiler: a brace at namespace or class level opens a function if the statement before
    it has a parameter list and does not begin a type, a namespace or an initializer.
    """
    for first, last, _ in functions(text):
        yield first, last


def functions(text):
    """As function_blocks, and what stands before the brace."""
    clean = blank_comments_and_strings(text)
    stack, statement, line, statement_line = [], "", 1, 1
    for char in clean:
        if char == "\n":
            line += 1
        if char == "{":
            kind = "block" if "function" in stack or "block" in stack else brace_kind(statement)
            stack.append(kind)
            if kind == "function":
                first, head = statement_line, statement
            statement = "" if kind in ("scope", "function") else statement + "{"
        elif char == "}":
            kind = stack.pop() if stack else "scope"
            if kind == "function":
                yield first, line, head
            statement = statement + "}" if kind == "value" else ""
        elif char == ";" and not (stack and stack[-1] == "value"):
            statement = ""
        elif char == ":" and statement.strip() in ("public", "private", "protected"):
            statement = ""
        elif "function" not in stack:
            if not statement.strip() and not char.isspace():
                statement, statement_line = "", line
            statement += char


def owner_of(head):
    """`A::B` of a head like `int A::B::f(...)`; empty: the function is nobody's."""
    found = re.match(r"[^(]*?((?:\w+::)+)[~\w]", without_attributes(head.split("(")[0]) + "(")
    names = [name for name in (found.group(1).split("::") if found else []) if name]
    return "::".join(name for name in names if name[0].isupper())


def type_name(statement):
    """Of a class or struct whose head is `statement`, or None."""
    head = re.sub(r"^template\s*<[^{]*?>\s*(?=(class|struct)\b)", "", statement.strip())
    if not re.match(r"(class|struct)\b", head):
        return None
    head = without_attributes(re.sub(r"^(class|struct)", "", head).split(" : ")[0])
    names = re.findall(r"[\w:]+", head.replace(" final", " "))
    return names[0].strip(":") if names else None


def data_members(statement):
    """The names that a statement in a class body declares as data; none if it declares no data."""
    text = without_attributes(statement)
    if re.match(r"(using|typedef|friend|static|template|enum|public|private|protected|class|struct"
                r"|union|constexpr|inline static|extern)\b", text) and not re.match(
                    r"(class|struct|union|enum)\b[^{]*\{\}\s*\w", text):
        return []
    pointer = re.match(r"[\w:\s*&]+\(\s*\*\s*(\w+)\s*\)\s*\(", text)
    if pointer:
        return [pointer.group(1)]
    names = []
    for part in split_at_commas(text):
        part = re.split(r"=|\{", part)[0]
        part = re.sub(r"\[[^\]]*\]", "", part)
        part = re.sub(r"(?<!:):(?!:)\s*\w+\s*$", "", part)  # a bit field
        if "(" in part or not re.search(r"\w\s*$", part):
            return names
        words = re.findall(r"\w+", part)
        if not names and len(words) < 2:
            return []
        names.append(words[-1])
    return names


def split_at_commas(text):
    parts, depth = [""], 0
    for char in text:
        depth += (char in "({[") - (char in ")}]")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def classes(file, text):
    """Every class and struct with a body, nested ones as Outer::Inner."""
    found, stack = [], []  # of the stack: (kind, class or None)
    statement, line, statement_line = "", 1, 1

    def innermost():
        return stack[-1][1] if stack and stack[-1][0] == "class" else None

    def end_statement():
        owner = innermost()
        if owner is None or not statement.strip():
            return
        text = " ".join(statement.split())
        names = data_members(text)
        owner.members += names
        plain = without_attributes(text)
        if not names and "(" in plain.split("=")[0].replace("operator", "("):
            name = re.search(r"([~\w]+)\s*\(", plain)
            if name:
                owner.declared.append((name.group(1), statement_line, plain))

    for char in blank_comments_and_strings(text):
        if char == "\n":
            line += 1
        inside = any(kind in ("function", "block") for kind, _ in stack)
        if char == "{":
            kind = "block" if inside else brace_kind(statement)
            name = type_name(statement) if kind == "scope" else None
            if name:
                outer = innermost()
                made = Class(f"{outer.name}::{name}" if outer else name, file, statement_line)
                found.append(made)
                stack.append(("class", made))
            else:
                stack.append((kind, None))
            statement = statement + "{" if kind == "value" else ""
            if name is None and kind == "scope" and innermost() is None and len(stack) > 1:
                statement = ""
        elif char == "}":
            kind, ended = stack.pop() if stack else ("scope", None)
            if kind == "class":
                ended.lines = line - ended.line + 1
            statement = statement + "}" if kind == "value" else ""
        elif char == ";" and not inside and not (stack and stack[-1][0] == "value"):
            end_statement()
            statement = ""
        elif char == ":" and statement.strip() in ("public", "private", "protected"):
            statement = ""
        elif not inside:
            if not statement.strip() and not char.isspace():
                statement, statement_line = "", line
            statement += char
    return found


def lines_by_class(text):
    """Of a source: how many of its lines belong to which class."""
    blocks = {}
    for first, last, head in functions(text):
        owner = owner_of(head)
        if owner:
            blocks.setdefault(owner, []).append(last - first + 1)
    if not blocks:
        return {}
    most = max(blocks, key=lambda name: (len(blocks[name]), sum(blocks[name])))
    result = {name: sum(lengths) for name, lengths in blocks.items()}
    result[most] = text.count("\n") - sum(result[name] for name in result if name != most)
    return result
