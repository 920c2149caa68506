{# A column so that nobody can read from it who it speaks of. `hash` keeps equal values equal, and so does `hmac`, whose
   values nobody without the key of the target (`mask_key`) can check a guess by; `tokenize` is a short word for a value, made
   with the key; `last4` keeps the end of a text, and `null` nothing. The comments tell the check of personal data what is masked. #}
{% macro mask(column, how='hash') -%}
  {%- if how == 'hash' -%}{%- set masked = 'sha256(cast(' ~ column ~ ' as varchar))' -%}
  {%- elif how == 'hmac' -%}{%- set masked = dbt.keyed_hash(column) -%}
  {%- elif how == 'tokenize' -%}{%- set masked = "'tok_' || left(" ~ dbt.keyed_hash(column) ~ ", 24)" -%}
  {%- elif how == 'last4' -%}{%- set masked = "repeat('*', greatest(length(cast(" ~ column ~ " as varchar)) - 4, 0)) || right(cast(" ~ column ~ " as varchar), 4)" -%}
  {%- elif how == 'null' -%}{%- set masked = 'null' -%}
  {%- else -%}{%- do exceptions.raise_compiler_error('`medal.mask` knows hash, hmac, tokenize, last4 and null, not ' ~ how) -%}
  {%- endif -%}
  /*medal.mask*/({{ masked }})/*medal.masked*/
{%- endmacro %}
