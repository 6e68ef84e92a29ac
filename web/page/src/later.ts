/* What the first view has no need of: one file of its own, which is fetched once the page stands (parts.tsx). */
export { AnyWords } from './any_words';
export { AroundBar } from './around_bar';
export { complete } from './complete';
export { Completer } from './completer';
export { CopyLink } from './copy_link';
export { Details } from './details';
export { FieldsPanel } from './fields_panel';
export { Help } from './help';
export { LogIn } from './log_in';
export { MenuItems } from './menu_items';
export { NearFields } from './near_fields';
export { PatternsView } from './patterns_view';
export { Tail } from './tail';
export { TimePopover } from './time_popover';
