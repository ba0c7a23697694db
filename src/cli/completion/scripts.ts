/** What each shell runs. All of them ask `tillbox complete`, which answers a line each: value, tab, description. */

const bash = `\
# Completion of tillbox for bash. To load it: eval "$(tillbox completion bash)"
_tillbox() {
  local line=\${COMP_LINE:0:COMP_POINT} current cut value
  local -a words
  read -ra words <<< "$line"
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  current=\${words[\${#words[@]}-1]}
  # Only what stands behind the last of the word breaks is replaced, and a user id may have one inside.
  cut=\${current%"\${current##*[$COMP_WORDBREAKS]}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    COMPREPLY+=("\${value#"$cut"}")
  done < <("$1" complete -- "\${words[@]:1}" 2> /dev/null)
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace 2> /dev/null
  fi
}
complete -o nosort -F _tillbox tillbox 2> /dev/null || complete -F _tillbox tillbox
`;

const zsh = `\
#compdef tillbox
# Completion of tillbox for zsh. To load it: eval "$(tillbox completion zsh)"
_tillbox() {
  local -a values displays
  local value description suffix=' '
  while IFS=$'\\t' read -r value description; do
    values+=("$value")
    displays+=("$value\${description:+  -- $description}")
  done < <("\${(Q)words[1]}" complete -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2> /dev/null)
  (( \${#values} )) || return 1
  [[ \${#values} -eq 1 && $values[1] == *= ]] && suffix=''
  compadd -U -V tillbox -S "$suffix" -l -d displays -a values
}
if [[ \${funcstack[1]} == _tillbox ]]; then
  _tillbox "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _tillbox tillbox
fi
`;

const fish = `\
# Completion of tillbox for fish. To load it: tillbox completion fish | source
function __tillbox_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    command $words[1] complete -- $words[2..-1] "$current" 2> /dev/null
end
complete -c tillbox -f -k -a '(__tillbox_complete)'
`;

export const completionScripts = { bash, zsh, fish } as const;
