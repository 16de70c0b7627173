// What is known of a terminal, and text that fits its width.
//
// Part of the tool; any thread that changes no environment variables.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tool {

// Columns where nothing tells how many there are.
inline constexpr size_t kUsualColumns = 80;

// Columns of the terminal `fd`: of COLUMNS if that is set, else as the terminal says; where it is
// no terminal, or does not know itself, kUsualColumns.
size_t columns_of(int fd);

// True if `fd` is a terminal on which a line can be written over and over. TERM says so.
bool can_redraw(int fd);

// Breaks lines that are longer than `columns` at blanks. A line goes on where its second column
// begins, which is behind two blanks or more, if enough room is left there, else two blanks deeper
// than it began. A word that is too long for a line stays whole.
std::string fit(std::string_view text, size_t columns);

// The text on one line: what a terminal would act on becomes a question mark.
std::string one_line(std::string text);

}  // namespace tool
