//! The source as the rules see it: files, their tokens, their functions.

use std::fs;
use std::path::Path;
use std::str::FromStr as _;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::Visit;

/// One word of the source; comments are none.
pub struct Token {
    pub text: String,
    pub line: usize,
}

pub struct File {
    /// Such as `src/engine/lane.rs`.
    pub path: String,
    pub text: String,
    /// Everything but comments.
    pub tokens: Vec<Token>,
    /// The same without what is only compiled for tests.
    pub code: Vec<Token>,
}

/// A function and how many lines it has, from `fn` to its closing brace.
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

/// The Rust files below these folders; tests run in the folder of Cargo.toml.
pub fn files(folders: &[&str]) -> Vec<File> {
    let mut files = Vec::new();
    for folder in folders {
        collect(Path::new(folder), &mut files);
    }
    assert!(!files.is_empty(), "no source below {folders:?}");
    files
}

fn collect(path: &Path, files: &mut Vec<File>) {
    if path.is_dir() {
        let mut inside: Vec<_> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        inside.sort();
        for path in inside {
            collect(&path, files);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(File::read(path));
    }
}

impl File {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let stream = TokenStream::from_str(&text).unwrap();
        let (mut tokens, mut code) = (Vec::new(), Vec::new());
        flatten(stream.clone(), false, &mut tokens);
        if !text.contains("#![cfg(test)]") {
            flatten(stream, true, &mut code);
        }
        Self { path: path.to_str().unwrap().to_owned(), text, tokens, code }
    }

    /// `engine` for `src/engine/lane.rs`, `app` for `src/app.rs`.
    pub fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap().trim_end_matches(".rs")
    }

    pub fn is_in(&self, modules: &[&str]) -> bool {
        modules.contains(&self.module())
    }

    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Where these words, written with a space between, stand in the code.
    pub fn uses(&self, words: &str) -> Vec<String> {
        find(&self.code, words).map(|index| self.at(self.code[index].line, words)).collect()
    }

    /// What the code takes from the crate's root: line and module.
    pub fn imports(&self) -> Vec<(usize, &str)> {
        let mut imports = Vec::new();
        let mut index = 0;
        while index < self.code.len() {
            let Some(after) = self.root(index) else {
                index += 1;
                continue;
            };
            let names = names(&self.code[after..]).into_iter();
            imports.extend(names.map(|name| (name.line, name.text.as_str())));
            index = after;
        }
        imports
    }

    /// If a path to the crate's root begins here (`crate::`, or enough of `super::`), where it ends.
    fn root(&self, index: usize) -> Option<usize> {
        if self.code[index].text == "crate" {
            return (self.code.get(index + 1)?.text == "::").then_some(index + 2);
        }
        let up = self.code[index..].chunks(2);
        let up = up.take_while(|two| two[0].text == "super" && two.len() == 2).count();
        let inside = self.path.trim_end_matches("/mod.rs").split('/').count() - 1;
        (up >= inside && up > 0).then_some(index + 2 * up)
    }

    /// Its functions, but for those in modules only compiled for tests.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Functions(Vec::new());
        functions.visit_file(&syn::parse_file(&self.text).unwrap());
        functions.0
    }
}

/// Where these words, written with a space between, stand among the tokens.
pub fn find<'a>(tokens: &'a [Token], words: &str) -> impl Iterator<Item = usize> + 'a {
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let windows = tokens.windows(words.len()).enumerate();
    windows
        .filter(move |(_, window)| window.iter().map(|token| &token.text).eq(&words))
        .map(|(index, _)| index)
}

/// The first names of a `use` tree that begins here: one, or those between braces.
fn names(code: &[Token]) -> Vec<&Token> {
    let mut names = Vec::new();
    let (mut depth, mut begins) = (0, true);
    for token in code {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                begins = depth == 1;
            }
            "}" => depth -= 1,
            "," => begins = depth == 1,
            _ if begins => {
                names.push(token);
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Puts the tokens in a row; leaves out docs and, if asked, what follows `#[cfg(test)]`.
fn flatten(stream: TokenStream, skip_tests: bool, row: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    let mut skipping = false;
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        if skipping {
            skipping = !ends_item(&tree);
            continue;
        }
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                let attribute = group.stream().to_string();
                let after_hash = row.last().is_some_and(|last| last.text == "#");
                if after_hash && attribute.starts_with("doc =") {
                    row.pop();
                } else if after_hash && skip_tests && attribute.replace(' ', "") == "cfg(test)" {
                    row.pop();
                    skipping = true;
                } else {
                    row.push(Token { text: open.to_owned(), line });
                    flatten(group.stream(), skip_tests, row);
                    let line = group.span_close().end().line;
                    row.push(Token { text: close.to_owned(), line });
                }
            }
            TokenTree::Punct(colon) if colon.as_char() == ':' => {
                let double = trees.next_if(|next| next.to_string() == ":").is_some();
                row.push(Token { text: if double { "::" } else { ":" }.to_owned(), line });
            }
            // Inner attributes (`#![…]`) read like outer ones.
            TokenTree::Punct(bang)
                if bang.as_char() == '!' && row.last().is_some_and(|last| last.text == "#") => {}
            tree => row.push(Token { text: tree.to_string(), line }),
        }
    }
}

fn ends_item(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    }
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span().start().line;
        let lines = block.brace_token.span.close().end().line - line + 1;
        self.0.push(Function { name: signature.ident.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.add(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|what| what == "test")
        });
        if !is_test {
            syn::visit::visit_item_mod(self, module);
        }
    }
}
